from tests.end_to_end.conftest import data_dir, launch, used_data_dir

__all__ = ["data_dir", "launch", "used_data_dir"]
