"""What a conversion refuses before it begins."""

import numpy as np
import pytest

from netcli.errors import DataError
from netcli.sources.conversion import Conversion
from netcli.sources.image_list import ImageList
from netcli.sources.image_records import Recipe
from netcli.sources.image_sets import Listed


def test_more_images_than_keys_have_numbers_for():
    none = np.empty(0, np.int32)
    images = Listed(ImageList("list.txt", [], none, none), "/")
    Conversion(images, range(10**8), Recipe())
    with pytest.raises(DataError, match="100000001 images are too many: keys have 8 digits, as Caffe's, for 100000000"):
        Conversion(images, range(10**8 + 1), Recipe())
