"""Make netcli/prototxt/caffe.desc, which the package reads, from proto/caffe.proto, which people read.

The descriptor set carries one thing of the comments: the `[Name]` that says which fork a message or field is from, as
the leading comment of its location.  All else that protoc can leave out is left out.

    python tools/compile_schema.py            write it
    python tools/compile_schema.py --check    exit with 1 if the one that is there differs
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from pathlib import Path

from google.protobuf import descriptor_pb2

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "proto" / "caffe.proto"
TARGET = ROOT / "netcli" / "prototxt" / "caffe.desc"
FORK = re.compile(r"\s*\[([^\]]+)\]")  # "[SSD] Boxes ...": first in a comment


def compile_schema(source: Path = SOURCE) -> bytes:
    """The serialised FileDescriptorSet of a .proto file; raises ValueError, with protoc's words on stderr."""
    from grpc_tools import protoc  # a tool of development: only this function needs it

    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "schema.desc"
        arguments = [f"--proto_path={source.parent}", "--include_source_info", f"--descriptor_set_out={output}"]
        if protoc.main(["protoc", *arguments, source.name]):
            raise ValueError(f"{source} does not compile")
        files = descriptor_pb2.FileDescriptorSet.FromString(output.read_bytes())
    for file in files.file:
        keep_forks(file)
        for message in file.message_type:
            drop_json_names(message)
    return files.SerializeToString(deterministic=True)


def keep_forks(file: descriptor_pb2.FileDescriptorProto) -> None:
    """Leave of the source info only the forks' names."""
    forks = [
        (list(location.path), found[1])
        for location in file.source_code_info.location
        for comment in (location.leading_comments, location.trailing_comments)
        if (found := FORK.match(comment))
    ]
    file.ClearField("source_code_info")
    for path, fork in forks:
        file.source_code_info.location.add(path=path, leading_comments=fork)


def drop_json_names(message: descriptor_pb2.DescriptorProto) -> None:
    """Leave out the names that JSON would have: a pool makes them from the fields' own."""
    for field in message.field:
        field.ClearField("json_name")
    for nested in message.nested_type:
        drop_json_names(nested)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 if the file differs")
    check = parser.parse_args().check
    compiled = compile_schema()
    if check:
        if TARGET.read_bytes() == compiled:
            return 0
        print(f"{TARGET} is not made from {SOURCE}: run python tools/compile_schema.py", file=sys.stderr)
        return 1
    TARGET.write_bytes(compiled)
    print(f"{TARGET}: {len(compiled)} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
