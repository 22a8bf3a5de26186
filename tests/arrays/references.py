"""What the ops compute, in float64 and in plain loops over Caffe's formulas."""

import itertools

import numpy as np

from netcli.arrays import random


def conv(x, w, b, stride, pad, dilation, group):
    kernel = w.shape[2:]
    x = np.pad(x, [(0, 0), (0, 0), *[(p, p) for p in pad]])
    size = x.shape[2:]
    out = [(s - (d * (k - 1) + 1)) // t + 1 for s, k, t, d in zip(size, kernel, stride, dilation, strict=True)]
    y = np.zeros((len(x), len(w), *out))
    c, m = x.shape[1] // group, len(w) // group
    for at in itertools.product(*map(range, out)):
        window = tuple(
            slice(i * t, i * t + d * (k - 1) + 1, d) for i, t, d, k in zip(at, stride, dilation, kernel, strict=True)
        )
        seen = x[(slice(None), slice(None), *window)]
        for g in range(group):
            some = slice(g * m, (g + 1) * m)
            y[(slice(None), some, *at)] = np.tensordot(
                seen[:, g * c : (g + 1) * c], w[some], (range(1, seen.ndim), range(1, w.ndim))
            )
    return y if b is None else y + b.reshape(-1, *[1] * len(out))


def pool(x, out, method, kernel, stride, pad):
    """Result, mask, and the function from the result's gradient to that of x."""
    n, c, *size = x.shape
    y, mask = np.zeros((n, c, *out)), np.full((n, c, *out), -1)
    shares = []  # (image, channel, row, column of y, item of x, share)
    for i, j, p, q in np.ndindex(y.shape):
        begin = [at * t - z for at, t, z in zip((p, q), stride, pad, strict=True)]
        end = [min(b + k, s + z) for b, k, s, z in zip(begin, kernel, size, pad, strict=True)]
        area = (end[0] - begin[0]) * (end[1] - begin[1])
        cells = itertools.product(*(range(max(b, 0), min(e, s)) for b, e, s in zip(begin, end, size, strict=True)))
        if method == "max":
            y[i, j, p, q] = np.finfo(np.float32).min if x.dtype == np.float32 else np.finfo(np.float64).min
            for h, w in cells:
                if x[i, j, h, w] > y[i, j, p, q]:
                    y[i, j, p, q] = x[i, j, h, w]
                    mask[i, j, p, q] = h * size[1] + w
            if mask[i, j, p, q] >= 0:
                shares.append(((i, j, p, q), (i, j, *divmod(mask[i, j, p, q], size[1])), 1.0))
        else:
            for h, w in cells:
                y[i, j, p, q] += x[i, j, h, w] / area
                shares.append(((i, j, p, q), (i, j, h, w), 1 / area))

    def backward(dy):
        dx = np.zeros(x.shape)
        for at, item, share in shares:
            dx[item] += dy[at] * share
        return dx

    return y, mask, backward


def stochastic_pool(x, out, kernel, stride, draws=None):
    """Result, and the function from the result's gradient to that of x.

    draws: (seed, purpose, major) to draw with; None: the mean.
    """
    y = np.zeros((*x.shape[:2], *out))
    if draws is not None:
        u = random.unit(random.words(*draws, 0, y.size // 4 + 1)).reshape(-1)[: y.size].reshape(y.shape)
    shares = []  # place in y, item of x, derivative
    for at in np.ndindex(y.shape):
        n, c, p, q = at
        rows, columns = (
            range(i * t, min(i * t + k, s)) for i, t, k, s in zip((p, q), stride, kernel, x.shape[2:], strict=True)
        )
        cells = [(n, c, h, w) for h in rows for w in columns]
        total = sum(x[cell] for cell in cells)
        if draws is not None:
            running = 0.0
            for cell in cells:
                running += x[cell]
                y[at] = x[cell]
                if running >= (1 - u[at]) * total:
                    break
            shares += [(at, cell, 1.0)] if cells else []
        elif total > 0:
            y[at] = sum(x[cell] ** 2 for cell in cells) / total
            shares += [(at, cell, (2 * x[cell] - y[at]) / total) for cell in cells]

    def backward(dy):
        dx = np.zeros(x.shape)
        for at, item, share in shares:
            dx[item] += dy[at] * share
        return dx

    return y, backward


def lrn(x, region, size, alpha, beta, k):
    s = np.full(x.shape, float(k))
    r = size // 2
    for n, c, h, w in np.ndindex(x.shape):
        if region == "across":
            seen = x[n, max(c - r, 0) : c + r + 1, h, w]
            s[n, c, h, w] += alpha / size * (seen**2).sum()
        else:
            seen = x[n, c, max(h - r, 0) : h + r + 1, max(w - r, 0) : w + r + 1]
            s[n, c, h, w] += alpha / size**2 * (seen**2).sum()
    return x * s**-beta


def batch_norm(x, mean, var, eps, use_global, s=None, b=None, relu=False):
    y = np.zeros(x.shape)
    for c in range(x.shape[1]):
        if not use_global:
            mean[c], var[c] = x[:, c].mean(), x[:, c].var()
        y[:, c] = (x[:, c] - mean[c]) / np.sqrt(var[c] + eps)
        if s is not None:
            y[:, c] = y[:, c] * s[c] + b[c]
    return np.maximum(y, 0) if relu else y


def softmax(x, axis):
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def log_loss(p, axis, index):
    """The loss, and the gradient for softmax's x."""
    p, index = np.moveaxis(p, axis, -1), np.moveaxis(index, axis, -1)[..., 0]
    total, dx = 0.0, np.zeros(p.shape)
    for at in np.ndindex(index.shape):
        if index[at] >= 0:
            total -= np.log(max(p[at][index[at]], np.finfo(np.float32).tiny))
            dx[at] = p[at]
            dx[at][index[at]] -= 1
    return total, np.moveaxis(dx, -1, axis)


def activation(kind, alpha, x):
    if kind == "relu":
        return np.where(x > 0, x, alpha * x)
    if kind == "elu":
        return np.where(x > 0, x, alpha * (np.exp(x) - 1))
    return 1 / (1 + np.exp(-x)) if kind == "sigmoid" else np.tanh(x)


def dropout_mask(shape, ratio, seed, purpose, major):
    count = int(np.prod(shape))
    words = [int(w) for w in random.words(seed, purpose, major, 0, count // 8 + 1).reshape(-1)]
    halves = [half for word in words for half in (word & 0xFFFFFFFF, word >> 32)]
    return np.array([half >= ratio * 2**32 for half in halves[:count]]).reshape(shape)


def update(rule, w, dw, histories, rate, decay, l1, scale, m, m2, delta):
    """The weights and the histories after a step."""
    g = scale * dw + decay * (np.sign(w) if l1 else w)
    h = histories[0]
    if rule == "SGD":
        new = m * h + rate * g
        return w - new, new
    if rule == "Nesterov":
        new = m * h + rate * g
        return w - ((1 + m) * new - m * h), new
    if rule == "Adam":
        mean, square = m * h + (1 - m) * g, m2 * histories[1] + (1 - m2) * g * g
        return w - rate * mean / (np.sqrt(square) + delta), mean, square
    new = h + g * g if rule == "AdaGrad" else m * h + (1 - m) * g * g
    if rule == "AdaDelta":
        d = g * np.sqrt((histories[1] + delta) / (new + delta))
        return w - rate * d, new, m * histories[1] + (1 - m) * d * d
    return w - rate * g / (np.sqrt(new) + delta), new


def index(value, limit, ignore):
    """A value as an index; -1 where it is to be ignored, -2 where it is none."""
    if ignore is not None and value == ignore:
        return -1
    return int(value) if 0 <= value < limit and value == int(value) else -2
