"""Fields and settings of the Web UI that this runtime does not honour, and their fate.

Fields of ``WITHOUT_EFFECT`` would not change a picture here and are taken with any value. Fields of
``UNLESS`` would: they are refused unless they have a value that leaves the picture as it is.
"""

from collections.abc import Mapping
from typing import Any

Harmless = Mapping[str, tuple[Any, ...]]
"""Values with which a field changes nothing, by field."""

_NONE = ("", "None", "none")

DRAWN_UNLESS: Harmless = {
    "tiling": (False,),
    "restore_faces": (False,),
    "styles": ([], [""]),
    "script_name": _NONE,
    "refiner_checkpoint": _NONE,
    "subseed_strength": (0,),
    "seed_resize_from_w": (0, -1),
    "seed_resize_from_h": (0, -1),
    "s_churn": (0,),
    "s_noise": (1,),
    "s_min_uncond": (0,),
    "eta": (0, 1),
    "disable_extra_networks": (False,),
    "infotext": ("",),
    "firstpass_image": ("",),
    "firstphase_image": ("",),
    "firstphase_width": (0,),
    "firstphase_height": (0,),
}
"""Fields of text-to-image and image-to-image that are refused unless they change nothing."""
SECOND_PASS_UNLESS: Harmless = {
    "hr_checkpoint_name": (*_NONE, "Use same checkpoint"),
    "hr_sampler_name": (*_NONE, "Use same sampler"),
    "hr_scheduler": (*_NONE, "Use same scheduler"),
    "hr_prompt": ("",),
    "hr_negative_prompt": ("",),
    "hr_cfg": (0,),
    "hr_additional_modules": ([], ["Use same choices"]),
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
PAINTED_OVER_UNLESS: Harmless = {
    "initial_noise_multiplier": (1,),
    "mask_round": (True,),
    "latent_mask": ("",),
    "mask_blur_x": (4,),
    "mask_blur_y": (4,),
}
"""Fields of image-to-image alone that are refused unless they change nothing."""
UPSCALED_UNLESS: Harmless = {"gfpgan_visibility": (0,), "codeformer_visibility": (0,)}
"""Fields of the extra kinds that are refused unless they change nothing."""
SETTINGS_UNLESS: Harmless = {
    "sd_vae": ("Automatic", "None", ""),
    "tiling": (False,),
    "face_restoration": (False,),
    "sd_unet": ("Automatic", "None", ""),
    "sd_hypernetwork": ("None", ""),
    "sd_lora": ("None", ""),
    "extra_networks_default_multiplier": (1,),
    "enable_emphasis": (True,),
    "emphasis": ("Original",),
    "use_old_emphasis_implementation": (False,),
    "use_old_karras_scheduler_sigmas": (False,),
    "use_old_hires_fix_width_height": (False,),
    "enable_quantization": (False,),
    "initial_noise_multiplier": (1,),
    "img2img_extra_noise": (0,),
    "img2img_color_correction": (False,),
    "img2img_fix_steps": (False,),
    "img2img_background_color": ("#ffffff",),
    "upscaler_for_img2img": ("None", ""),
    "overlay_inpaint": (True,),
    "sdxl_crop_top": (0,),
    "sdxl_crop_left": (0,),
    "sd_vae_encode_method": ("Full",),
    "sd_vae_decode_method": ("Full",),
    "s_min_uncond": (0,),
    "s_churn": (0,),
    "s_noise": (1,),
    "skip_early_cond": (0,),
    "token_merging_ratio": (0,),
    "token_merging_ratio_img2img": (0,),
    "token_merging_ratio_hr": (0,),
    "eta_ddim": (0,),
    "eta_ancestral": (1,),
    "eta_noise_seed_delta": (0,),
    "ddim_discretize": ("uniform",),
    "always_discard_next_to_last_sigma": (False,),
    "sgm_noise_multiplier": (False,),
    "sd_noise_schedule": ("Default",),
    "k_sched_type": ("Automatic", ""),
    "sigma_min": (0,),
    "sigma_max": (0,),
    "rho": (0,),
}
"""Fields of ``override_settings`` that are refused unless they change nothing."""

SECOND_PASS = frozenset(
    {
        *("enable_hr", "hr_scale", "hr_upscaler", "hr_second_pass_steps", "hr_resize_x"),
        *("hr_resize_y", "hr_distilled_cfg", *SECOND_PASS_UNLESS),
    }
)
MASKING = frozenset(
    {
        *("mask_blur", "inpainting_fill", "inpainting_mask_invert", "inpaint_full_res"),
        *("inpaint_full_res_padding", "resize_mode", *PAINTED_OVER_UNLESS),
    }
)
UPSCALING = frozenset(
    {
        *("resize_mode", "upscaling_resize", "upscaling_resize_w", "upscaling_resize_h"),
        *("upscaling_crop", "upscaler_1", "upscaler_2", "extras_upscaler_2_visibility"),
        *UPSCALED_UNLESS,
    }
)
DRAWING = frozenset(
    {
        *("prompt", "negative_prompt", "seed", "steps", "cfg_scale", "width", "height"),
        *("sampler_name", "sampler_index", "scheduler", "batch_size", "n_iter", "send_images"),
        *("denoising_strength", "override_settings", "alwayson_scripts", *DRAWN_UNLESS),
    }
)
PICTURES = frozenset({"init_images", "mask", "image", "imageList", "images"})
WITHOUT_EFFECT = frozenset(
    {
        # What is saved, shown or sent back.
        *("do_not_save_samples", "do_not_save_grid", "save_images", "include_init_images"),
        *("show_extras_results", "force_task_id", "override_settings_restore_afterwards"),
        *("comments", "s3_output_path", "html_info"),
        # What means nothing without a field that is refused, or for these checkpoints.
        *("subseed", "refiner_switch_at", "script_args", "s_tmin", "s_tmax", "seed_enable_extras"),
        *("image_cfg_scale", "distilled_cfg_scale", "codeformer_weight", "upscale_first"),
    }
)
KNOWN = frozenset({*SECOND_PASS, *MASKING, *UPSCALING, *DRAWING, *PICTURES, *WITHOUT_EFFECT})
"""Fields of all the Web UI's requests; one of another kind of task changes nothing there."""

HONOURED_SETTINGS = ("sd_model_checkpoint", "CLIP_stop_at_last_layers", "sd_vae")
_SETTINGS_WITHOUT_EFFECT = frozenset(
    {
        *("enable_pnginfo", "n_rows", "font", "jpeg_quality", "webp_lossless", "export_for_4chan"),
        *("img_downscale_threshold", "target_side_length", "img_max_size_mp", "temp_dir"),
        *("use_original_name_batch", "use_upscaler_name_as_suffix", "clean_temp_dir_at_start"),
        *("ESRGAN_tile", "ESRGAN_tile_overlap", "realesrgan_enabled_models", "SWIN_tile"),
        *("face_restoration_model", "code_former_weight", "face_restoration_unload"),
        *("memmon_poll_rate", "multiple_tqdm", "print_hypernet_extra", "list_hidden_files"),
        *("disable_mmap_load_safetensors", "hide_ldm_prints", "dump_stacks_on_signal"),
        *("enable_batch_seeds", "comma_padding_backtrack", "upcast_attn", "randn_source"),
        *("auto_vae_precision", "inpainting_mask_weight", "cross_attention_optimization"),
        *("pad_cond_uncond", "pad_cond_uncond_v0", "persistent_cond_cache", "batch_cond_uncond"),
        *("no_dpmpp_sde_batch_determinism", "dont_fix_second_order_samplers_schedule"),
        *("hires_fix_use_firstpass_conds", "use_old_scheduling", "use_downcasted_alpha_bar"),
        *("return_grid", "return_mask", "return_mask_composite", "do_not_show_images"),
        *("send_seed", "send_size", "localization", "quicksettings_list", "samplers_in_dropdown"),
        *("dimensions_and_batch_together", "disable_token_counters", "disable_weights_auto_swap"),
        *("hires_fix_show_sampler", "hires_fix_show_prompts", "hide_samplers", "s_tmin", "s_tmax"),
        *("fp8_storage", "cache_fp16_weight", "enable_upscale_progressbar", "postprocessing"),
        *("use_save_to_dirs_for_ui", "unload_models_when_training", "pin_memory"),
    }
)
_SETTINGS_STARTS = (
    *("samples_", "grid_", "save_", "outdir_", "directories_", "live_preview", "show_", "ui_"),
    *("js_", "keyedit_", "interrogate_", "deepbooru_", "training_", "dataset_", "gallery_"),
    *("textual_inversion_", "extra_networks_", "add_", "infotext_", "api_", "sd_checkpoint"),
    *("sd_vae_", "sdxl_refiner_", "gradio_", "img2img_", "hidden_", "auto_", "open_dir_"),
    *("uni_pc_", "postprocessing_", "notification_", "control_net_", "lora_", "canvas_"),
)
"""Prefixes of the names of settings about saving, showing, training and the page."""


def setting_without_effect(name: str) -> bool:
    """Tell whether a setting of the Web UI leaves every picture of this runtime as it is."""
    # First: `sd_vae_encode_method` and `img2img_extra_noise` begin like settings that are harmless.
    if name in SETTINGS_UNLESS:
        return False
    return name in _SETTINGS_WITHOUT_EFFECT or name.startswith(_SETTINGS_STARTS)


KNOWN_SETTINGS = (*HONOURED_SETTINGS, *SETTINGS_UNLESS, *sorted(_SETTINGS_WITHOUT_EFFECT))
