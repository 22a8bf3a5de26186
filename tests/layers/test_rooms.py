"""Every layer has its test, and every setting in the schema its layer: nothing is left out unnoticed."""

from pathlib import Path

import pytest

from netcli.layers.registry import layer_types
from netcli.prototxt import schema

HERE = Path(__file__).parent
SETTINGS = [field.name for field in schema.LayerParameter.DESCRIPTOR.fields if field.name.endswith("_param")]

# Settings that no layer claims: those of all layers that read images, and of layers that are not there yet.
UNCLAIMED = {
    "several": "transform_param",
    "BVLC": "hdf5_data_param hdf5_output_param python_param recurrent_param window_data_param",
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
    if cls.not_yet:
        known = getattr(schema.LayerParameter(), cls.param_field).DESCRIPTOR.fields_by_name
        assert set(cls.not_yet) <= set(known)


def test_every_setting_has_a_layer_or_is_listed():
    claimed = {cls.param_field for cls in layer_types().values()}
    names = " ".join(UNCLAIMED.values()).split()
    listed = set(names)
    assert set(SETTINGS) - claimed - listed == set(), "neither claimed by a layer nor listed here"
    assert listed & claimed == set(), "listed here, but a layer claims it"
    assert listed - set(SETTINGS) == set(), "listed here, but not in the schema"
    assert len(listed) == len(names), "listed twice"
