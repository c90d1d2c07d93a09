"""The record of a run is JSON and identifies its inputs by content."""

import hashlib
import json
from datetime import datetime, timedelta
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from simulate.base.errors import InputError
from simulate.files.provenance import InputFile, provenance


def test_the_record_is_json_and_complete(tmp_path):
    image = tmp_path / "dce.nii.gz"
    image.write_bytes(b"voxels")
    options = {
        "out": Path("maps"),
        "times": np.array([0.0, 5.0]),
        "snr": np.float32(8),
        "mask": None,
        "aif": jnp.arange(2),
        "nested": {"frames": (1, 2), "x": np.int64(3)},
    }
    record = provenance(command="estimate dce dce.nii.gz", options=options, inputs=[InputFile.of(image)], seed=7)
    assert json.loads(json.dumps(record)) == record
    assert record["options"] == {
        "out": "maps",
        "times": [0.0, 5.0],
        "snr": 8.0,
        "mask": None,
        "aif": [0, 1],
        "nested": {"frames": [1, 2], "x": 3},
    }
    assert record["seed"] == 7
    assert record["command"] == "estimate dce dce.nii.gz"
    digest = hashlib.sha256(b"voxels").hexdigest()
    assert record["inputs"] == [{"path": str(image), "sha256": digest, "bytes": 6}]
    assert datetime.fromisoformat(record["time"]).utcoffset() == timedelta(0)
    assert record["environment"]["jax"] == jax.__version__
    assert record["environment"]["numpy"] == np.__version__


def test_an_input_that_is_gone_is_named(tmp_path):
    with pytest.raises(InputError, match=r"gone\.nii: cannot be read"):
        InputFile.of(tmp_path / "gone.nii")
