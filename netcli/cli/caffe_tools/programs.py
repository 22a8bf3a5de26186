"""The table of Caffe's programs: what each takes, and what does its work."""

from __future__ import annotations

from functools import partial

from netcli.cli.caffe_tools import brew, tools
from netcli.cli.caffe_tools.call import Program

MAIN = "caffe"
PROGRAMS = {
    MAIN: Program(
        "caffe ACTION [flags], with one of the actions train, test, time and device_query",
        "Trains a net, tests one, measures how long its layers take, or tells of GPUs.",
        brew.brew,
        1,
        1,
        brew.FLAGS,
    ),
    "convert_imageset": Program(
        "convert_imageset [flags] ROOTFOLDER/ LISTFILE DB_NAME",
        "Makes a database of the images in a list.",
        tools.convert_imageset,
        3,
        3,
        tools.CONVERT_IMAGESET,
    ),
    "compute_image_mean": Program(
        "compute_image_mean [flags] INPUT_DB [OUTPUT_FILE]",
        "Computes the mean image of a database.",
        tools.compute_image_mean,
        1,
        2,
        tools.COMPUTE_IMAGE_MEAN,
    ),
    "extract_features": Program(
        "extract_features WEIGHTS NET BLOB[,BLOB...] DB[,DB...] BATCHES BACKEND [CPU|GPU] [DEVICE_ID=0]",
        "Stores what blobs of a net hold in databases.",
        tools.extract_features,
        6,
        8,
        logs_to_stderr=False,
    ),
    **{
        f"upgrade_{kind}_proto_{form}": Program(
            f"upgrade_{kind}_proto_{form} FILE_IN FILE_OUT",
            f"Writes a {kind} of an old form, in a {form} file, in today's.",
            partial(tools.upgrade, kind=kind, is_text=form == "text"),
            2,
            2,
        )
        for kind, form in (("net", "text"), ("net", "binary"), ("solver", "text"))
    },
}
