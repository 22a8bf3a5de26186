"""One step of long short-term memory, for LSTM and LSTMUnit.

Hochreiter & Schmidhuber, "Long short-term memory", Neural Computation 9, 1997, in the form of Zaremba & Sutskever,
"Learning to execute", arXiv:1410.4615.

    i = sigmoid(s_i)  f = sigmoid(s_f)  o = sigmoid(s_o)  g = tanh(s_g)
    c = f * before + i * g
    h = o * tanh(c)

s, gates  (N, 4 D), in the order i, f, o, g
before    (N, D), the cell of the step before, times cont
c, h      (N, D), the cell, and what it shows
"""

from __future__ import annotations

from typing import Any


def forward(xp: Any, gates: Any, before: Any, c: Any, tanh_c: Any, h: Any) -> None:
    """From s, which become i, f, o, g where they lie, and `before` to c, tanh(c) and h."""
    i, f, o, g = _parts(gates)
    # sigmoid(s) = tanh(s / 2) / 2 + 1 / 2: no exp that overflows, and one call for all gates.
    sigmoids = gates[:, : 3 * g.shape[1]]
    sigmoids *= 0.5
    xp.tanh(gates, out=gates)
    sigmoids *= 0.5
    sigmoids += 0.5
    xp.multiply(f, before, out=c)
    xp.multiply(i, g, out=h)
    c += h
    xp.tanh(c, out=tanh_c)
    xp.multiply(o, tanh_c, out=h)


def backward(xp: Any, gates: Any, before: Any, tanh_c: Any, dh: Any, dc: Any, ds: Any, slopes: Any) -> None:
    """From dh, and from dc, which becomes the gradient of `before` where it lies, to ds.

    gates   i, f, o, g as forward left them
    slopes  (N, 4 D), work space
    """
    i, f, o, g = _parts(gates)
    di, df, do, dg = _parts(ds)
    # Of tanh(c): dc += dh * o * (1 - tanh(c) ** 2)
    xp.multiply(tanh_c, tanh_c, out=di)
    xp.subtract(1, di, out=di)
    di *= o
    di *= dh
    dc += di
    xp.multiply(dc, g, out=di)
    xp.multiply(dc, before, out=df)
    xp.multiply(dh, tanh_c, out=do)
    xp.multiply(dc, i, out=dg)
    dc *= f
    # Of a sigmoid y the slope is (1 - y) * y, of a tanh 1 - y ** 2.
    *_, slope = _parts(slopes)
    xp.subtract(1, gates, out=slopes)
    slopes *= gates
    xp.multiply(g, g, out=slope)
    xp.subtract(1, slope, out=slope)
    ds *= slopes


def _parts(gates: Any) -> Any:
    """The four (N, D) of an (N, 4 D)."""
    n, width = gates.shape
    return gates.reshape(n, 4, width // 4).swapaxes(0, 1)
