"""Mistakes in how pictures and masks are read."""

from tests.mutants.mutant import Mutant

DECODING = "tests/runtimes/diffusers/test_decoding.py"
INPUTS = "tests/deployments/inputs"

MUTANTS = (
    Mutant(
        mistake="a picture in base64 that has not to pass the gate of links",
        file="deployments/replica.py",
        old="            await self.inputs.check(pictures)\n",
        new="",
        tests="tests/deployments/test_replica.py",
    ),
    Mutant(
        mistake="a colour profile that makes a picture unreadable",
        file="deployments/inputs/pictures.py",
        old="io.BytesIO(without_metadata(data))",
        new="io.BytesIO(data)",
        tests=DECODING,
    ),
    Mutant(
        mistake="sixteen bits a channel that come out white",
        file="deployments/runtimes/diffusers/decoding.py",
        old='if image.mode[0] in "IF":',
        new='if image.mode == "F":',
        tests=DECODING,
    ),
    Mutant(
        mistake="a broken EXIF that takes the picture along",
        file="deployments/runtimes/diffusers/decoding.py",
        old="    except Exception:  # noqa: BLE001",
        new="    except KeyError:  # noqa: BLE001",
        tests=DECODING,
    ),
    Mutant(
        mistake="a mask in black and white of which only the opacity counts",
        file="deployments/runtimes/diffusers/masks.py",
        old="    if not _is_black_and_white(mask):\n",
        new="    if alpha:\n",
        tests="tests/runtimes/diffusers/test_source_image.py",
    ),
    Mutant(
        mistake="a key with blanks that is not found as a URL writes it",
        file="deployments/inputs/fetch.py",
        old="(written_out := unquote(link)) != link",
        new="(written_out := link) != link",
        tests=INPUTS,
    ),
    Mutant(
        mistake="every plugin of Pillow for a stranger's bytes",
        file="deployments/inputs/pictures.py",
        old="formats=FORMATS)",
        new="formats=None)",
        tests=INPUTS,
    ),
    Mutant(
        mistake="a sprite that is enlarged on white",
        file="deployments/runtimes/diffusers/extras.py",
        old="        larger.putalpha(",
        new="        larger.copy().putalpha(",
        tests="tests/runtimes/diffusers/test_upscaling.py",
    ),
)
