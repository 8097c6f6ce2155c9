"""Upload of weights, with a progress bar."""

from pathlib import Path

from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from cli.aws.model_bucket import ModelBucket, missing_files
from cli.output import Output
from models.visible import visible


def upload_folder(out: Output, bucket: ModelBucket, folder: Path) -> int:
    """Upload the files that the bucket lacks; return how many those were."""
    upload = missing_files(bucket, folder)
    out.note(f"{folder} to {bucket.name}: {len(upload.files)} files, {upload.bytes:,} bytes")
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn())
    with Progress(*columns, TransferSpeedColumn(), console=out.err, disable=out.as_json) as bars:
        row = bars.add_task(visible(folder.name), total=upload.bytes)
        upload.run(lambda sent: bars.advance(row, sent))
    return len(upload.files)
