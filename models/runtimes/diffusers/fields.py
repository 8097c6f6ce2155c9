"""Fields of the Web UI's requests, and the fate of those that this runtime does not honour.

Honoured ones are the fields of the requests' models; `table` puts all of them together.
"""

from collections.abc import Mapping

from models.runtimes.diffusers.fates import Ignored, Refusals, Refused

_NONE = ("", "None", "none")
_OLD = "an older Web UI's name of another field"

DRAWN: Refusals = {
    "tiling": Refused("seamless pictures are not painted", (False,)),
    "restore_faces": Refused("there is no face restoration", (False,)),
    "script_name": Refused("there are no scripts", _NONE),
    "refiner_checkpoint": Refused("there is no refiner", _NONE),
    "s_min_uncond": Refused("the negative prompt counts in every step", (0,)),
    "disable_extra_networks": Refused("LoRAs of the prompt are always applied", (False,)),
    "infotext": Refused("only the fields themselves are read", ("",)),
    "firstpass_image": Refused("the first pass always starts from noise", ("",)),
    "firstphase_image": Refused(_OLD, ("",)),
    "firstphase_width": Refused(_OLD, (0,)),
    "firstphase_height": Refused(_OLD, (0,)),
}
"""Fields of text-to-image and image-to-image that are refused unless they change nothing."""
SECOND_PASS_REFUSED: Refusals = {
    "hr_additional_modules": Refused("there are no other networks", ([], ["Use same choices"])),
}
"""Fields of a request with ``enable_hr`` that are refused unless they change nothing."""
PAINTED_OVER: Refusals = {
    "mask_round": Refused("a mask has no half-tones but for its feather", (True,)),
    "latent_mask": Refused("the mask is in the field mask", ("",)),
}
"""Fields of image-to-image alone that are refused unless they change nothing."""
UPSCALED: Refusals = {
    "gfpgan_visibility": Refused("there is no face restoration", (0,)),
    "codeformer_visibility": Refused("there is no face restoration", (0,)),
}
"""Fields of the extra kinds that are refused unless they change nothing."""

_SAVED = "pictures are stored as artifacts, whatever is to be saved"
_SHOWN = "it is about what is shown or sent back"
_ALONE = "it means nothing without a field that is refused"
_OTHERS = "it is for checkpoints of another family"
IGNORED: Ignored = {
    "do_not_save_samples": _SAVED,
    "do_not_save_grid": _SAVED,
    "save_images": _SAVED,
    "s3_output_path": "the task says where its artifacts go",
    "include_init_images": _SHOWN,
    "show_extras_results": _SHOWN,
    "html_info": _SHOWN,
    "send_images": _SHOWN,
    "comments": _SHOWN,
    "force_task_id": "the task has an id",
    "override_settings_restore_afterwards": "settings are always for one task",
    "seed_enable_extras": _ALONE,
    "refiner_switch_at": _ALONE,
    "script_args": _ALONE,
    "codeformer_weight": _ALONE,
    "upscale_first": _ALONE,
    "image_cfg_scale": _OTHERS,
    "distilled_cfg_scale": _OTHERS,
    "hr_distilled_cfg": _OTHERS,
}
"""Fields that are taken with any value."""

GATHERED: Mapping[str, tuple[str, str]] = {
    "sampler_index": ("text, image", "an older name of `sampler_name`"),
    "alwayson_scripts": (
        "text, image",
        "`override_settings` and the routing keys are read; other extensions must do nothing",
    ),
    "images": ("batch", "another name of `imageList`"),
}
"""Fields that become others, each with the kinds of task and what is read of it."""
SECOND_PASS = frozenset(
    {
        *("enable_hr", "hr_scale", "hr_upscaler", "hr_second_pass_steps", "hr_resize_x"),
        *("hr_resize_y", "hr_checkpoint_name", "hr_sampler_name", "hr_scheduler", "hr_prompt"),
        *("hr_negative_prompt", "hr_cfg", *SECOND_PASS_REFUSED),
    }
)
MASKING = frozenset(
    {
        *("mask_blur", "inpainting_fill", "inpainting_mask_invert", "inpaint_full_res"),
        *("inpaint_full_res_padding", "resize_mode", "mask_blur_x", "mask_blur_y"),
        *("initial_noise_multiplier", *PAINTED_OVER),
    }
)
UPSCALING = frozenset(
    {
        *("resize_mode", "upscaling_resize", "upscaling_resize_w", "upscaling_resize_h"),
        *("upscaling_crop", "upscaler_1", "upscaler_2", "extras_upscaler_2_visibility"),
        *UPSCALED,
    }
)
DRAWING = frozenset(
    {
        *("prompt", "negative_prompt", "seed", "steps", "cfg_scale", "width", "height"),
        *("sampler_name", "sampler_index", "scheduler", "batch_size", "n_iter"),
        *("denoising_strength", "override_settings", "alwayson_scripts", "styles", "clip_skip"),
        *("subseed", "subseed_strength", "seed_resize_from_w", "seed_resize_from_h", "eta"),
        *("s_churn", "s_tmin", "s_tmax", "s_noise", *DRAWN),
    }
)
PICTURES = frozenset({"init_images", "mask", "image", "imageList", "images"})
KNOWN = frozenset({*SECOND_PASS, *MASKING, *UPSCALING, *DRAWING, *PICTURES, *IGNORED})
"""Fields of all the Web UI's requests; one of another kind of task changes nothing there."""
