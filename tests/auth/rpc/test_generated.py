"""What is generated from auth.proto is what is committed."""

from pathlib import Path

import grpc_tools
from grpc_tools import protoc

from ibex.auth import Permission
from ibex.auth.v1 import auth_pb2
from tests.docs.markdown import ROOT

FOLDER = Path("ibex/auth/v1")


def test_the_modules_are_those_that_the_description_gives(tmp_path: Path) -> None:
    """`make protos` writes them anew."""
    included = Path(grpc_tools.__file__).parent / "_proto"
    status = protoc.main(
        [
            "protoc",
            f"--proto_path={ROOT}",
            f"--proto_path={included}",
            f"--python_out={tmp_path}",
            f"--pyi_out={tmp_path}",
            f"--grpc_python_out={tmp_path}",
            str(ROOT / FOLDER / "auth.proto"),
        ]
    )
    assert status == 0

    made = {file.name: file.read_text("utf-8") for file in (tmp_path / FOLDER).iterdir()}

    assert made.keys() == {"auth_pb2.py", "auth_pb2.pyi", "auth_pb2_grpc.py"}
    for name, text in made.items():
        assert (ROOT / FOLDER / name).read_text("utf-8") == text, name


def test_a_map_of_permissions_has_room_for_every_bit() -> None:
    everything = (1 << 64) - 1
    answer = auth_pb2.ValidateTokenResponse(permission_bits=everything)

    assert auth_pb2.ValidateTokenResponse.FromString(answer.SerializeToString()).permission_bits == everything
    assert max(Permission) <= everything
