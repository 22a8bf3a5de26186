import numpy as np

from checks import Case, case_test, refusal


def tile(axis, tiles):
    return lambda x: [np.concatenate([x] * tiles, axis)]


CASES = [
    Case("default", "type: 'Tile' tile_param { tiles: 3 }", [(2, 3, 4, 5)], tile(1, 3)),
    Case("rows", "type: 'Tile' tile_param { tiles: 2 }", [(2, 3)], tile(1, 2)),
    Case("last", "type: 'Tile' tile_param { tiles: 2 axis: -1 }", [(2, 3, 4, 5)], tile(3, 2)),
    Case("batch", "type: 'Tile' tile_param { tiles: 2 axis: 0 }", [(2, 3, 4)], tile(0, 2)),
    Case("once", "type: 'Tile' tile_param { tiles: 1 }", [(2, 3)], tile(1, 1)),
]

test_layer = case_test(CASES)


def test_refusals():
    assert refusal("type: 'Tile'", [(2, 3)]) == "needs tiles"
    assert refusal("type: 'Tile' tile_param { tiles: -2 }", [(2, 3)]) == "tiles is -2; it must be 1 or more"
    assert refusal("type: 'Tile' tile_param { tiles: 2 axis: 2 }", [(2, 3)]) == "axis 2 is not in a bottom of 2 axes"
