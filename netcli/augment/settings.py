"""What a transform_param may say."""

from __future__ import annotations

from typing import Any

from netcli.errors import NetcliError

COMPUTED = {
    *("scale", "mirror", "crop_size", "mean_file", "mean_value", "force_color", "force_gray"),
    *("crop_h", "crop_w", "center_crop", "pad"),
    *("resize_param", "min_side", "random_resize_param", "random_aspect_ratio_param"),
    *("affine_param", "blur_param", "distort_param", "color_jitter", "pca_jitter", "cutout_param", "vertical_mirror"),
    *("jpeg_param", "erase_ratio", "scale_min", "scale_max", "aspect_min", "aspect_max"),
}


def check(param: Any) -> None:
    """Raise NetcliError where fields of a transform_param exclude each other, or are not computed."""
    for field, _ in param.ListFields():
        if field.name not in COMPUTED:
            raise NetcliError(
                f"transform_param.{field.name} is known but not computed yet", field=f"transform_param.{field.name}"
            )
    if param.HasField("mean_file") and param.mean_value:
        raise NetcliError("mean_file and mean_value exclude each other", field="transform_param.mean_value")
    if param.force_color and param.force_gray:
        raise NetcliError("force_color and force_gray exclude each other", field="transform_param.force_gray")
    if param.pad and param.HasField("mean_file"):
        raise NetcliError("pad goes with mean_value, not with mean_file", field="transform_param.pad")
    sizes = param.random_resize_param
    if param.HasField("mean_file") and sizes.min_size < sizes.max_size:
        raise NetcliError(
            "random_resize_param goes with mean_value: a mean_file is of one size",
            field="transform_param.random_resize_param",
        )


def crop_of(param: Any) -> tuple[int, int]:
    """Height and width of what is cut out; (0, 0): the whole."""
    if (param.crop_h > 0) != (param.crop_w > 0):
        raise NetcliError(
            f"crop_h {param.crop_h} and crop_w {param.crop_w} go together: both or neither",
            field="transform_param.crop_h",
        )
    if param.crop_h and param.crop_size:
        raise NetcliError("crop_size and crop_h exclude each other", field="transform_param.crop_h")
    return (param.crop_h, param.crop_w) if param.crop_h else (param.crop_size, param.crop_size)
