"""Every layer has its test, and every setting in the schema its layer: nothing is left out unnoticed."""

import re
from pathlib import Path

import pytest

from netcli.errors import NetcliError
from netcli.layers.base import Context
from netcli.layers.registry import layer_types
from netcli.prototxt import schema

HERE = Path(__file__).parent
SETTINGS = [field.name for field in schema.LayerParameter.DESCRIPTOR.fields if field.name.endswith("_param")]

WITH_SETTINGS = sorted(name for name, cls in layer_types().items() if cls.param_field)

# Settings that no layer claims: those of all layers that read images, and of layers that only forks have.
UNCLAIMED = {
    "several": "transform_param",
    "forks": """
        adaptive_bias_channel_param annotated_data_param batch_reduction_param bbox_reg_param bias_channel_param
        bn_param box_annotator_ohem_param box_group_output_param center_loss_param channel_scale_param
        continuation_indicator_param ctc_loss_param decode_bbox_param dense_crf_param dense_image_data_param
        detection_data_param detection_evaluate_param detection_group_accuracy_param detection_group_loss_param
        detection_output_param detectnet_augmentation_param detectnet_groundtruth_param dice_coef_loss_param
        domain_transform_param eltwise_affine_param eval_data_param eval_detection_param flip_param
        focal_loss_param frcnn_output_param general_triplet_loss_param hard_mining_param inner_distance_param
        insanity_param interp_param label_specific_add_param labelsequence_accuracy_param
        largemargin_inner_product_param local_param margin_inner_product_param mat_read_param mat_write_param
        mn_activation_param mn_grad_compress_param multi_stage_meanfield_param multibox_loss_param noise_param
        norm_param normalize_param pairwise_param parse_evaluate_param permute_param prior_box_param
        proposal_param proposal_target_param psroi_pooling_param quantization_param region_loss_param relu6_param
        reorg_param reverse_param roi_pooling_param scale_route_param seg_accuracy_param seg_data_param
        segmentation_evaluate_param selu_dropout_param selu_param shuffle_channel_param smooth_l1_loss_param
        smoothl1_param soft_truncation_param spatial_dropout_param split_param triplet_loss_param trt_param
        truncation_param unique_label_param unpooling_param upsample_param video_data_param
        yolo_detection_output_param yolo_seg_param yolov3_detection_output_param yolov3_param
    """,
}


@pytest.mark.parametrize("type_name", sorted(layer_types()))
def test_a_layer_has_its_test_module_and_its_settings(type_name):
    cls = layer_types()[type_name]
    room = cls.__module__.rpartition(".")[2]
    assert (HERE / f"test_{room}.py").exists()
    assert cls.param_field is None or cls.param_field in SETTINGS


@pytest.mark.parametrize("type_name", WITH_SETTINGS)
def test_a_layers_docstring_tells_of_every_setting_of_caffes(type_name):
    """What the layer takes no notice of is told as well: nobody who maintains it has to guess."""
    cls = layer_types()[type_name]
    told = set(re.findall(r"\w+", " ".join(base.__doc__ or "" for base in cls.__mro__)))
    assert {name for name, fork in settings(cls).items() if fork is None} - told == set()


@pytest.mark.parametrize("type_name", WITH_SETTINGS)
def test_a_setting_of_a_fork_is_known_to_the_layer_or_refused(type_name):
    cls = layer_types()[type_name]
    forks = {name: fork for name, fork in settings(cls).items() if fork is not None}
    assert set(cls.fork_fields) <= set(forks)
    for name, fork in forks.items():
        message = schema.LayerParameter(name="L", type=type_name)
        give(getattr(message, cls.param_field), name)
        if name in cls.fork_fields:
            cls(message, Context())
        else:
            with pytest.raises(NetcliError, match=f"^{name}, a field of .*, is not in netcli yet$") as caught:
                cls(message, Context())
            assert caught.value.field == f"{cls.param_field}.{name}"
            assert fork.split(", ")[0] in str(caught.value)


def settings(cls):
    """The fields of a layer's own message, and the fork each is from, or None."""
    message = schema.LayerParameter.DESCRIPTOR.fields_by_name[cls.param_field].message_type
    return {field.name: schema.origin(message.name, field.name) for field in message.fields}


def give(message, name):
    """Set a field to something else than its default."""
    field = message.DESCRIPTOR.fields_by_name[name]
    value = getattr(message, name)
    if field.is_repeated:
        value.append(1)
    elif field.message_type:
        value.SetInParent()
    elif field.enum_type:
        setattr(message, name, next(v.number for v in field.enum_type.values if v.number != field.default_value))
    else:
        setattr(
            message, name, "other" if isinstance(value, str) else not value if isinstance(value, bool) else value + 1
        )


def test_every_setting_has_a_layer_or_is_listed():
    claimed = {cls.param_field for cls in layer_types().values()}
    names = " ".join(UNCLAIMED.values()).split()
    listed = set(names)
    assert set(SETTINGS) - claimed - listed == set(), "neither claimed by a layer nor listed here"
    assert listed & claimed == set(), "listed here, but a layer claims it"
    assert listed - set(SETTINGS) == set(), "listed here, but not in the schema"
    assert len(listed) == len(names), "listed twice"
