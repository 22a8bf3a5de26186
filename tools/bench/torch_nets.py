"""The nets of the cases in PyTorch's manner: the same layers, sizes and numbers of parameters as under models/.

Pooling takes windows that overhang (`ceil_mode`), as Caffe's does.  `build(name, train)` makes one; to train it gives
the scores of classes, GoogLeNet those of its auxiliary classifiers too.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import torch
from torch import Tensor, nn


def relu() -> nn.Module:
    return nn.ReLU(inplace=True)


def lrn() -> nn.Module:
    return nn.LocalResponseNorm(5, 1e-4, 0.75, 1.0)


def max_pool(size: int = 3, stride: int = 2, padding: int = 0) -> nn.Module:
    return nn.MaxPool2d(size, stride, padding, ceil_mode=True)


def lenet() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 20, 5), max_pool(2), nn.Conv2d(20, 50, 5), max_pool(2), nn.Flatten(),
        nn.Linear(800, 500), relu(), nn.Linear(500, 10),
    )  # fmt: skip


def cifar10() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 32, 5, padding=2), max_pool(), relu(),
        nn.Conv2d(32, 32, 5, padding=2), relu(), nn.AvgPool2d(3, 2, ceil_mode=True),
        nn.Conv2d(32, 64, 5, padding=2), relu(), nn.AvgPool2d(3, 2, ceil_mode=True), nn.Flatten(),
        nn.Linear(1024, 64), nn.Linear(64, 10),
    )  # fmt: skip


def classifier(channels: int) -> list[nn.Module]:
    """The three fully connected layers of AlexNet and VGG."""
    return [
        nn.Flatten(), nn.Linear(channels, 4096), relu(), nn.Dropout(),
        nn.Linear(4096, 4096), relu(), nn.Dropout(), nn.Linear(4096, 1000),
    ]  # fmt: skip


def alexnet(before_pool: bool = True, after_pool: bool = False) -> nn.Module:
    """AlexNet, with its normalisations before each of the first two poolings, after, or without."""

    def normed_pool() -> list[nn.Module]:
        return [*([lrn()] if before_pool else []), max_pool(), *([lrn()] if after_pool else [])]

    return nn.Sequential(
        nn.Conv2d(3, 96, 11, 4), relu(), *normed_pool(),
        nn.Conv2d(96, 256, 5, padding=2, groups=2), relu(), *normed_pool(),
        nn.Conv2d(256, 384, 3, padding=1), relu(),
        nn.Conv2d(384, 384, 3, padding=1, groups=2), relu(),
        nn.Conv2d(384, 256, 3, padding=1, groups=2), relu(), max_pool(), *classifier(9216),
    )  # fmt: skip


def vgg16() -> nn.Module:
    layers: list[nn.Module] = []
    channels = 3
    for count, filters in ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512)):
        for _ in range(count):
            layers += [nn.Conv2d(channels, filters, 3, padding=1), relu()]
            channels = filters
        layers.append(max_pool(2))
    return nn.Sequential(*layers, *classifier(7 * 7 * 512))


class Inception(nn.Module):
    """Four branches of one input, joined by channels."""

    def __init__(self, channels: int, one: int, reduce3: int, three: int, reduce5: int, five: int, pool: int) -> None:
        super().__init__()
        self.branches = nn.ModuleList([
            nn.Sequential(nn.Conv2d(channels, one, 1), relu()),
            nn.Sequential(
                nn.Conv2d(channels, reduce3, 1), relu(), nn.Conv2d(reduce3, three, 3, padding=1), relu()
            ),
            nn.Sequential(nn.Conv2d(channels, reduce5, 1), relu(), nn.Conv2d(reduce5, five, 5, padding=2), relu()),
            nn.Sequential(max_pool(3, 1, 1), nn.Conv2d(channels, pool, 1), relu()),
        ])  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([branch(x) for branch in self.branches], 1)


class GoogLeNet(nn.Module):
    """Nine inception modules, with or without the two auxiliary classifiers that help while it trains."""

    def __init__(self, auxiliary: bool) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, 64, 7, 2, 3), relu(), max_pool(), lrn(), nn.Conv2d(64, 64, 1), relu(),
            nn.Conv2d(64, 192, 3, padding=1), relu(), lrn(), max_pool(),
            Inception(192, 64, 96, 128, 16, 32, 32), Inception(256, 128, 128, 192, 32, 96, 64), max_pool(),
            Inception(480, 192, 96, 208, 16, 48, 64),
        )  # fmt: skip
        self.middle = nn.Sequential(
            Inception(512, 160, 112, 224, 24, 64, 64), Inception(512, 128, 128, 256, 24, 64, 64),
            Inception(512, 112, 144, 288, 32, 64, 64),
        )  # fmt: skip
        self.end = nn.Sequential(
            Inception(528, 256, 160, 320, 32, 128, 128), max_pool(),
            Inception(832, 256, 160, 320, 32, 128, 128), Inception(832, 384, 192, 384, 48, 128, 128),
            nn.AvgPool2d(7), nn.Flatten(), nn.Dropout(0.4), nn.Linear(1024, 1000),
        )  # fmt: skip
        self.first, self.second = (self.side(512), self.side(528)) if auxiliary else (None, None)

    @staticmethod
    def side(channels: int) -> nn.Module:
        return nn.Sequential(
            nn.AvgPool2d(5, 3, ceil_mode=True), nn.Conv2d(channels, 128, 1), relu(), nn.Flatten(),
            nn.Linear(2048, 1024), relu(), nn.Dropout(0.7), nn.Linear(1024, 1000),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, Tensor, Tensor]:
        x = self.stem(x)
        y = self.middle(x)
        if self.first is None or self.second is None:
            return self.end(y)  # type: ignore[no-any-return]
        return self.end(y), self.first(x), self.second(y)


def normed(channels: int, filters: int, size: int, stride: int = 1, groups: int = 1, bias: bool = False) -> nn.Module:
    """A convolution of the same size, and its batch normalisation with scale and shift."""
    return nn.Sequential(
        nn.Conv2d(channels, filters, size, stride, size // 2, groups=groups, bias=bias), nn.BatchNorm2d(filters)
    )


class Bottleneck(nn.Module):
    """A block of ResNet-50, its stride in the first convolution, as published for Caffe."""

    def __init__(self, channels: int, filters: int, stride: int) -> None:
        super().__init__()
        wide = 4 * filters
        self.shortcut = normed(channels, wide, 1, stride) if channels != wide else nn.Identity()
        self.branch = nn.Sequential(
            normed(channels, filters, 1, stride), relu(), normed(filters, filters, 3), relu(), normed(filters, wide, 1)
        )
        self.relu = relu()

    def forward(self, x: Tensor) -> Tensor:
        return self.relu(self.branch(x) + self.shortcut(x))  # type: ignore[no-any-return]


def resnet50() -> nn.Module:
    layers = [normed(3, 64, 7, 2, bias=True), relu(), max_pool()]
    channels = 64
    for stage, (blocks, filters) in enumerate(((3, 64), (4, 128), (6, 256), (3, 512))):
        for block in range(blocks):
            layers.append(Bottleneck(channels, filters, 2 if block == 0 and stage else 1))
            channels = 4 * filters
    return nn.Sequential(*layers, nn.AvgPool2d(7), nn.Flatten(), nn.Linear(2048, 1000))


def mobilenet() -> nn.Module:
    layers = [normed(3, 32, 3, 2), relu()]
    channels = 32
    strided = {128: 2, 256: 2, 512: 2, 1024: 2}  # filters at whose first pair the image is halved
    for filters in (64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024):
        layers += [normed(channels, channels, 3, strided.pop(filters, 1), groups=channels), relu()]
        layers += [normed(channels, filters, 1), relu()]
        channels = filters
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Conv2d(1024, 1000, 1), nn.Flatten())


class Det1(nn.Module):
    """MTCNN's first net, over a whole image."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, 10, 3), nn.PReLU(10), max_pool(2), nn.Conv2d(10, 16, 3), nn.PReLU(16),
            nn.Conv2d(16, 32, 3), nn.PReLU(32),
        )  # fmt: skip
        self.face, self.box = nn.Conv2d(32, 2, 1), nn.Conv2d(32, 4, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        y = self.body(x)
        return self.face(y).softmax(1), self.box(y)


NETS: dict[str, Callable[[], nn.Module]] = {
    "lenet": lenet,
    "cifar10": cifar10,
    "alexnet": alexnet,
    "alexnet-no-lrn": functools.partial(alexnet, before_pool=False),
    "caffenet": functools.partial(alexnet, before_pool=False, after_pool=True),
    "googlenet": functools.partial(GoogLeNet, auxiliary=False),
    "vgg16": vgg16,
    "resnet50": resnet50,
    "mobilenet": mobilenet,
    "det1-12x12": Det1,
    "det1-96x128": Det1,
}


def build(name: str, train: bool) -> nn.Module:
    """The net, to train, or to infer: then the classifiers' scores become probabilities."""
    made = GoogLeNet(auxiliary=True) if train and name == "googlenet" else NETS[name]()
    net = made.train(train)
    return net if train or name.startswith("det1") else nn.Sequential(net, nn.Softmax(1)).eval()
