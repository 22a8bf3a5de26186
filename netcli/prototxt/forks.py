"""Which public fork of Caffe brought a layer type that BVLC Caffe does not have: for the error that names it."""

from __future__ import annotations

# The forks are named as in proto/caffe.proto, section 5.  A type under two of them has a dialect in each, or began in
# the first and is spread by the second.
_TYPES = {
    "Fast R-CNN": "ROIPooling SmoothL1Loss",
    "R-FCN": "BoxAnnotatorOHEM PSROIPooling SmoothL1LossOHEM SoftmaxWithLossOHEM",
    "SSD": """
        AnnotatedData DetectionEvaluate DetectionOutput MultiBoxLoss Normalize Permute PriorBox SmoothL1Loss VideoData
        """,
    "ParseNet": "BN Grouping Normalize ParseEvaluate ParseOutput UnPooling",
    "SegNet": "BN DenseImageData Upsample",
    "PSPNet": """
        AdaptiveBiasChannel BN BiasChannel DenseCRF DomainTransform DomainTransformForwardOnly ImageSegData Interp
        MatRead MatWrite SegAccuracy SpatialProduct UniqueLabel
        """,
    "CRF-RNN": "MultiStageMeanfield",
    "HED": "ImageLabelmapData",
    "TSN": "BN BatchReduction Gather Scatter SegData SyncBN VideoData",
    "caffe-face": "CenterLoss",
    "caffe-windows": """
        Arccos BN BatchContrastiveLoss CenterLoss ChannelScale ConfidencePenaltyLoss CorrelationLoss Cosine FCNAccuracy
        Flip FocalLoss GeneralContrastiveLoss GeneralTripletLoss GlobalLSEMargin Gram Hotspot InnerDistance Insanity
        LabelSpecificAdd LargeMarginInnerProduct Local MarginInnerProduct MovingNormalize MultiLabelImageData NCALoss
        Noise Normalize Pairwise PredictBox Proposal Resize Slope SoftContrastiveLoss SoftTruncation SubRegion
        Transformer TripletLoss Truncation
        """,
    "Cascade R-CNN": """
        BboxAccuracy BoxGroupOutput DecodeBBox DetectionData DetectionGroupAccuracy DetectionGroupLoss EvalData
        FrcnnOutput HardMining ProposalTarget ROIAlign ScaleRoute
        """,
    "ShuffleNet": "ConvolutionDepthwise ShuffleChannel",
    "MobileNet-YOLO": """
        AssistedExcitation DepthwiseConvolution GaussianYolov3 LaneData RegionLoss Reorg SegmentationEvaluate Upsample
        YoloDetectionOutput YoloSeg Yolov3 Yolov3DetectionOutput
        """,
    "NVCaffe": "DetectNetTransformation L1Loss TRT",
    "Intel Caffe": "BoxData EvalDetection MKLBatchNorm MnActivation RegionLoss Reorg SpatialDropout",
    "jolibrain": """
        Axpy BroadcastMul ContinuationIndicator CrossEntropyLoss CtcLoss DiceCoefLoss FocalLoss LabelsequenceAccuracy
        MemorySparseData MultiBoxFocalLoss MultiLabelAccuracy MultiLabelSigmoidLoss ReLU6 Reverse SeLu SeLuDropout
        SoftmaxWithInfogainLoss SparseData SparseInnerProduct
        """,
}


def _by_type() -> dict[str, str]:
    forks: dict[str, list[str]] = {}
    for fork, types in _TYPES.items():
        for type_name in types.split():
            forks.setdefault(type_name, []).append(fork)
    return {type_name: ", ".join(names) for type_name, names in forks.items()}


FORK_LAYERS: dict[str, str] = _by_type()
"""Layer type -> fork, or forks with commas between: "ROIPooling" -> "Fast R-CNN"."""
