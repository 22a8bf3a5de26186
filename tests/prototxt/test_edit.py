from netcli.prototxt.edit import Edits, spans

TEXT = """# a net
name: "a" 'b'  # two strings are one
layer {  # the first
  name: "x" loss_weight: -1.5 phase: TEST
  top: ["a", "b"] param < lr_mult: 1 >
}
"""


def test_spans_are_fields_with_their_values():
    name, layer = spans(TEXT)
    assert TEXT[name.start : name.end] == "name: \"a\" 'b'"
    values = [(each.name, TEXT[each.value : each.end]) for each in layer.fields]
    assert values == [
        *(("name", '"x"'), ("loss_weight", "-1.5"), ("phase", "TEST")),
        *(("top", '["a", "b"]'), ("param", "< lr_mult: 1 >")),
    ]
    assert [each.name for each in layer.fields[-1].fields] == ["lr_mult"]


def test_edits_leave_the_rest():
    _, layer = spans(TEXT)
    edits = Edits(TEXT)
    edits.put(layer.named("phase")[0], "TRAIN")
    edits.add_behind(layer.named("name")[0], ['type: "T"'])
    edits.remove(layer.named("top")[0])
    assert edits.done() == TEXT.replace("TEST", "TRAIN").replace('"x"', '"x" type: "T"').replace('top: ["a", "b"]', "")


def test_a_field_that_has_its_lines_to_itself_goes_with_them():
    name, layer = spans(TEXT.replace("  # the first", "").replace("  # two strings are one", ""))
    for span, left in ((name, "# a net\nlayer"), (layer, "'b'\n")):
        edits = Edits(TEXT.replace("  # the first", "").replace("  # two strings are one", ""))
        edits.remove(span)
        assert left in edits.done()
    assert edits.done() == "# a net\nname: \"a\" 'b'\n"


def test_fields_go_behind_one_on_a_line_of_its_own():
    text = "a {\n  b: 1  # why\n}\n"
    edits = Edits(text)
    edits.add_behind(spans(text)[0].fields[0], ["c: 2", "d: 3"])
    assert edits.done() == "a {\n  b: 1\n  c: 2\n  d: 3  # why\n}\n"
