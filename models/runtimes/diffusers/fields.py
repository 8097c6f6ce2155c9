"""Fields of the Web UI's requests, and the fate of those that this runtime does not honour.

Honoured ones are the fields of the requests' models; `table` puts all of them together.
"""

from collections.abc import Mapping

from models.runtimes.diffusers.fates import Ignored, Refusals, Refused

_NONE = ("", "None", "none")
_RESIZED = "noise has the picture's own size"
_OLD = "an older Web UI's name of another field"

DRAWN: Refusals = {
    "tiling": Refused("seamless pictures are not painted", (False,)),
    "restore_faces": Refused("there is no face restoration", (False,)),
    "styles": Refused("there are no styles", ([], [""])),
    "script_name": Refused("there are no scripts", _NONE),
    "refiner_checkpoint": Refused("there is no refiner", _NONE),
    "subseed_strength": Refused("noise is of one seed", (0,)),
    "seed_resize_from_w": Refused(_RESIZED, (0, -1)),
    "seed_resize_from_h": Refused(_RESIZED, (0, -1)),
    "s_churn": Refused("no sampler adds noise of its own", (0,)),
    "s_noise": Refused("noise has its full strength", (1,)),
    "s_min_uncond": Refused("the negative prompt counts in every step", (0,)),
    "eta": Refused("a sampler adds the noise that it is known for", (0, 1)),
    "clip_skip": Refused("it is the setting CLIP_stop_at_last_layers", (1,)),
    "disable_extra_networks": Refused("LoRAs of the prompt are always applied", (False,)),
    "infotext": Refused("only the fields themselves are read", ("",)),
    "firstpass_image": Refused("the first pass always starts from noise", ("",)),
    "firstphase_image": Refused(_OLD, ("",)),
    "firstphase_width": Refused(_OLD, (0,)),
    "firstphase_height": Refused(_OLD, (0,)),
}
"""Fields of text-to-image and image-to-image that are refused unless they change nothing."""
SECOND_PASS_REFUSED: Refusals = {
    "hr_checkpoint_name": Refused(
        "both passes have one checkpoint", (*_NONE, "Use same checkpoint")
    ),
    "hr_sampler_name": Refused("both passes have one sampler", (*_NONE, "Use same sampler")),
    "hr_scheduler": Refused("both passes have one schedule", (*_NONE, "Use same scheduler")),
    "hr_prompt": Refused("both passes have one prompt", ("",)),
    "hr_negative_prompt": Refused("both passes have one prompt", ("",)),
    "hr_cfg": Refused("both passes have one scale", (0,)),
    "hr_additional_modules": Refused("there are no other networks", ([], ["Use same choices"])),
}
"""Fields of a request with ``enable_hr``; also harmless if they repeat what the first pass has."""
SAME_AS: Mapping[str, str] = {
    "hr_sampler_name": "sampler_name",
    "hr_scheduler": "scheduler",
    "hr_prompt": "prompt",
    "hr_negative_prompt": "negative_prompt",
    "hr_cfg": "cfg_scale",
    "mask_blur_x": "mask_blur",
    "mask_blur_y": "mask_blur",
}
"""Fields that another field may repeat, by the field that may repeat them."""
PAINTED_OVER: Refusals = {
    "initial_noise_multiplier": Refused("noise has its full strength", (1,)),
    "mask_round": Refused("a mask has no half-tones but for its feather", (True,)),
    "latent_mask": Refused("the mask is in the field mask", ("",)),
    "mask_blur_x": Refused("a feather is the same in both directions", (4,)),
    "mask_blur_y": Refused("a feather is the same in both directions", (4,)),
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
    "comments": _SHOWN,
    "force_task_id": "the task has an id",
    "override_settings_restore_afterwards": "settings are always for one task",
    "subseed": _ALONE,
    "seed_enable_extras": _ALONE,
    "refiner_switch_at": _ALONE,
    "script_args": _ALONE,
    "s_tmin": _ALONE,
    "s_tmax": _ALONE,
    "codeformer_weight": _ALONE,
    "upscale_first": _ALONE,
    "image_cfg_scale": _OTHERS,
    "distilled_cfg_scale": _OTHERS,
    "hr_distilled_cfg": _OTHERS,
}
"""Fields that are taken with any value."""

SECOND_PASS = frozenset(
    {
        *("enable_hr", "hr_scale", "hr_upscaler", "hr_second_pass_steps", "hr_resize_x"),
        *("hr_resize_y", *SECOND_PASS_REFUSED),
    }
)
MASKING = frozenset(
    {
        *("mask_blur", "inpainting_fill", "inpainting_mask_invert", "inpaint_full_res"),
        *("inpaint_full_res_padding", "resize_mode", *PAINTED_OVER),
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
        *("sampler_name", "sampler_index", "scheduler", "batch_size", "n_iter", "send_images"),
        *("denoising_strength", "override_settings", "alwayson_scripts", *DRAWN),
    }
)
PICTURES = frozenset({"init_images", "mask", "image", "imageList", "images"})
KNOWN = frozenset({*SECOND_PASS, *MASKING, *UPSCALING, *DRAWING, *PICTURES, *IGNORED})
"""Fields of all the Web UI's requests; one of another kind of task changes nothing there."""
