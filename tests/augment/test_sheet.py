import numpy as np

from netcli.augment.sheet import MARGIN, PAPER, SIDE, sheet, wrapped


def test_pictures_stand_side_by_side_with_their_words_under_them():
    red = np.zeros((3, 8, 8), np.uint8)
    red[2] = 255  # BGR
    grey = np.full((1, 8, 16), 100, np.uint8)
    made = np.asarray(sheet([[(red, "red"), (grey, "a grey one")], [(grey, "")]]))
    second = 2 * MARGIN + SIDE
    assert (made[MARGIN, MARGIN] == (255, 0, 0)).all()
    assert (made[MARGIN + SIDE - 1, MARGIN + SIDE - 1] == (255, 0, 0)).all()
    assert (made[MARGIN, second] == 100).all()
    assert (made[MARGIN, second + SIDE] == PAPER).all()
    under = made[MARGIN + SIDE + 1 : MARGIN + SIDE + 20, MARGIN:second]
    assert (under < 128).all(axis=-1).any()


def test_large_pictures_are_made_smaller():
    assert max(sheet([[(np.zeros((3, 1000, 800), np.uint8), "")]]).size) == 2 * SIDE + 2 * MARGIN + MARGIN // 2


def test_words_are_wrapped():
    assert wrapped("one two three four", 9, len) == ["one two", "three", "four"]
    assert wrapped("", 9, len) == []
