"""Python layers as users write them, for tests."""

import numpy as np

from netcli.layers.python import PythonLayer


class Scaled(PythonLayer):
    """y = c * x for the number c in param_str; written without a thought for in-place or propagate_down."""

    def setup(self, bottom, top):
        self.factor = float(self.param_str)

    def reshape(self, bottom, top):
        top[0].reshape(*bottom[0].data.shape)

    def forward(self, bottom, top):
        top[0].data[...] = self.factor * bottom[0].data

    def backward(self, top, propagate_down, bottom):
        if propagate_down[0]:
            bottom[0].diff[...] = self.factor * top[0].diff


class Distance:
    """EuclideanLoss, as a plain class: sum of squares / 2 N."""

    def setup(self, bottom, top):
        if len(bottom) != 2:
            raise ValueError("needs two bottoms")

    def reshape(self, bottom, top):
        self.difference = np.zeros_like(bottom[0].data)
        top[0].reshape(1)

    def forward(self, bottom, top):
        self.difference[...] = bottom[0].data - bottom[1].data
        top[0].data[...] = np.sum(self.difference**2) / bottom[0].num / 2

    def backward(self, top, propagate_down, bottom):
        for i, sign in enumerate((1, -1)):
            if propagate_down[i]:
                bottom[i].diff[...] = sign * top[0].diff * self.difference / bottom[i].num


class Affine:
    """y = w x + b per channel, by flat views, which have to write through."""

    def setup(self, bottom, top):
        channels = bottom[0].shape[1]
        self.blobs.add_blob(channels)
        self.blobs.add_blob(channels)
        self.blobs[0].data[...] = np.arange(1, channels + 1)

    def reshape(self, bottom, top):
        top[0].reshape(*bottom[0].shape)

    def forward(self, bottom, top):
        n, c = bottom[0].num, bottom[0].channels
        w, b = (blob.data[:, None] for blob in self.blobs)
        top[0].data.reshape(n, c, -1)[...] = w * bottom[0].data.reshape(n, c, -1) + b

    def backward(self, top, propagate_down, bottom):
        n, c = bottom[0].num, bottom[0].channels
        dy, x = top[0].diff.reshape(n, c, -1), bottom[0].data.reshape(n, c, -1)
        self.blobs[0].diff[...] += (dy * x).sum((0, 2))
        self.blobs[1].diff[...] += dy.sum((0, 2))
        if propagate_down[0]:
            bottom[0].diff.reshape(n, c, -1)[...] = self.blobs[0].data[:, None] * dy


class Positive:
    """The rows whose first item is above 0; their number is known in forward alone.  Its backward writes those only."""

    def setup(self, bottom, top):
        pass

    def reshape(self, bottom, top):
        top[0].reshape(*bottom[0].shape)

    def forward(self, bottom, top):
        first = bottom[0].data.reshape(bottom[0].num, -1)[:, 0]
        self.rows = np.flatnonzero(first > 0)
        top[0].reshape(len(self.rows), *bottom[0].shape[1:])
        top[0].data[...] = bottom[0].data[self.rows]

    def backward(self, top, propagate_down, bottom):
        if propagate_down[0]:
            bottom[0].diff[self.rows] = top[0].diff


class Counter:
    """A source: batches of 1, 2, 3, 1, ... images that hold their number; its reshape brings the next, as FCN's do."""

    def setup(self, bottom, top):
        self.reshapes = 0

    def reshape(self, bottom, top):
        self.reshapes += 1
        top[0].reshape(1 + self.reshapes % 3, 2, 3, 4)

    def forward(self, bottom, top):
        top[0].data[...] = self.reshapes


class Phase:
    def setup(self, bottom, top):
        pass

    def reshape(self, bottom, top):
        top[0].reshape()

    def forward(self, bottom, top):
        top[0].data[()] = self.phase


class Faulty(Scaled):
    """Raises in the verb that param_str names."""

    def setup(self, bottom, top):
        self.factor = 1
        self.fail("setup")

    def forward(self, bottom, top):
        self.fail("forward")
        super().forward(bottom, top)

    def backward(self, top, propagate_down, bottom):
        self.fail("backward")

    def fail(self, verb):
        if self.param_str == verb:
            raise ZeroDivisionError(verb)


class LateBlob(Phase):
    def forward(self, bottom, top):
        self.blobs.add_blob(3)


class WithoutForward:
    def setup(self, bottom, top):
        pass

    def reshape(self, bottom, top):
        pass


not_a_class = Scaled.setup
