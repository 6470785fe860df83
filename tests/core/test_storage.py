"""A saved noun comes back bit for bit, and a changed file is refused."""

import json
import zipfile

import numpy as np
import pytest
from scipy.sparse import csr_array

import sysid

RNG = np.random.default_rng(0)


def lti():
    return sysid.LTI([[0.9, 0.1], [0.0, 0.5]], [[0.0], [1.0]], [[1.0, 0.0]], dt=None, d=[3.0])


def esn(**changes):
    return sysid.ESN.random(20, 2, rng=np.random.default_rng(1), **changes)


NOUNS = {
    "process on blocks": sysid.Process(sysid.LTI(np.diag([0.5, 1.0]), None, [[1.0, 1.0]]), 1.0, 1.0,
                                       initial=sysid.Blocks(([0], sysid.Stationary()), ([1], sysid.Diffuse()))),
    "lti": lti(),
    "ltv": sysid.LTV(RNG.standard_normal((5, 2, 2)), None, np.ones((1, 2)), dt=0.1),
    "bilinear": sysid.Bilinear(0.5 * np.eye(2), np.ones((2, 1)), np.ones((1, 2, 2)), np.ones((1, 2))),
    "esn": esn(leak=np.linspace(0.1, 1.0, 20)).with_readout(np.ones((1, 20))),
    "features": esn(features="squares").with_readout(np.ones((1, 40))),
    "gaussian": sysid.Gaussian([1.0, 2.0], [1.0, 3.0]),
    "process": sysid.Process(sysid.LTI(0.5 * np.eye(2), None, np.ones((1, 2))), 0.1, [[2.0]], initial=sysid.Stationary()),
    "diffuse": sysid.Process(sysid.LTI(0.5 * np.eye(2), None, np.ones((1, 2))), 0.1, [[2.0]], initial=sysid.Diffuse()),
    "named": lti().with_names("level", "pump"),
    "data": sysid.Data(np.array([1.0, np.nan, 3.0]), np.arange(3.0), dt=0.1, output_names=["level"]),
    "mapped": sysid.datasets.sunspots().map(np.sqrt, inverse=np.square).standardize()[0],
    "simulation": sysid.simulate(esn(), RNG.standard_normal((9, 2))),
}


def same(a, b):
    if isinstance(a, np.ndarray):
        assert a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    elif hasattr(a, "__dataclass_fields__"):
        assert type(a) is type(b)
        for name in a.__dataclass_fields__:
            same(getattr(a, name), getattr(b, name))
    else:
        assert a == b


@pytest.mark.parametrize("kind", NOUNS)
def test_a_noun_returns_bit_for_bit(kind, tmp_path):
    path = sysid.save(NOUNS[kind], tmp_path / kind)
    assert path.name == f"{kind}.npz"
    back = sysid.load(path)
    if kind == "mapped":
        np.testing.assert_array_equal(back.original, NOUNS[kind].original)
    else:
        same(NOUNS[kind], back)


def test_a_sparse_reservoir_stays_sparse(tmp_path):
    network = sysid.ESN(csr_array(np.diag([0.5, 0.25])), np.ones((2, 1)))
    back = sysid.load(sysid.save(network, tmp_path / "m.npz"))
    assert isinstance(back.W, csr_array) and (back.W != network.W).nnz == 0


def test_a_loaded_model_simulates_the_same(tmp_path):
    u = RNG.standard_normal((30, 2))
    back = sysid.load(sysid.save(NOUNS["esn"], tmp_path / "m.npz"))
    np.testing.assert_array_equal(sysid.simulate(back, u).y, sysid.simulate(NOUNS["esn"], u).y)


def rewrite(path, change):
    """Change the stored parts, leaving a well-formed file behind."""
    with np.load(path) as stored:
        parts = {key: stored[key] for key in stored.files}
    change(parts)
    np.savez(path, **parts)


def nudge(parts):
    parts["a0"] = parts["a0"] + 1e-15


def rename(parts):
    contents = json.loads(str(parts["contents"]))
    contents["tree"]["noun"] = ["subprocess", "Popen"]
    parts["contents"] = np.array(json.dumps(contents))


@pytest.mark.parametrize("change", [nudge, rename])
def test_a_tampered_file_is_refused(change, tmp_path):
    path = sysid.save(lti(), tmp_path / "m.npz")
    rewrite(path, change)
    with pytest.raises(ValueError, match="match their checksum"):
        sysid.load(path)


def test_a_forged_checksum_opens_no_other_class(tmp_path):
    from sysid.core import storage

    path = sysid.save(lti(), tmp_path / "m.npz")

    def forge(parts):
        rename(parts)
        contents = json.loads(str(parts.pop("contents")))
        del contents["sha256"]
        contents["sha256"] = storage._checksum(contents, parts)
        parts["contents"] = np.array(json.dumps(contents))

    rewrite(path, forge)
    with pytest.raises(ValueError, match=r"received subprocess\.Popen"):
        sysid.load(path)


def test_flipped_bytes_are_refused(tmp_path):
    path = sysid.save(NOUNS["esn"], tmp_path / "m.npz")
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 0xFF
    path.write_bytes(raw)
    with pytest.raises(ValueError, match="load"):
        sysid.load(path)


def test_other_files_are_refused_in_one_sentence(tmp_path):
    np.savez(tmp_path / "other.npz", a=np.ones(3))
    np.savez(tmp_path / "objects.npz", contents=np.array([{}], dtype=object))
    (tmp_path / "text.npz").write_text("hello")
    with zipfile.ZipFile(tmp_path / "zip.npz", "w") as archive:
        archive.writestr("x.txt", "hello")
    for name in ("other", "objects", "text", "zip"):
        with pytest.raises(ValueError, match=r"expected a file written by sysid\.save"):
            sysid.load(tmp_path / f"{name}.npz")
    with pytest.raises(FileNotFoundError):
        sysid.load(tmp_path / "none.npz")


def test_functions_are_refused(tmp_path):
    data = sysid.Data([1.0, 2.0], inverse=lambda y: y)
    with pytest.raises(TypeError, match="Functions are not stored"):
        sysid.save(data, tmp_path / "m.npz")
    with pytest.raises(TypeError, match="expected a model"):
        sysid.save(np.ones(3), tmp_path / "m.npz")
    assert not list(tmp_path.iterdir())


def test_the_suffix_may_be_left_out_on_both_sides(tmp_path):
    sysid.save(sysid.LTI(0.5, 1.0, 1.0), tmp_path / "model")
    assert sysid.load(tmp_path / "model").A[0, 0] == 0.5


def test_slips_with_files_are_named_without_advice_to_unpickle(tmp_path):
    with pytest.raises(TypeError, match=r"save\(noun, path\)"):
        sysid.save(str(tmp_path / "x.npz"), sysid.LTI(0.5, 1.0, 1.0))
    with pytest.raises(FileNotFoundError, match="none is none"):
        sysid.save(sysid.LTI(0.5, 1.0, 1.0), tmp_path / "none" / "x.npz")
    (tmp_path / "text.npz").write_text("hello")
    with pytest.raises(ValueError, match="something else or a damaged one") as said:
        sysid.load(tmp_path / "text.npz")
    assert "pickle" not in str(said.value)


OLD = """{"format": 1, "tree": {"noun": ["sysid.models.process", "Process"], "fields": {"model": {"noun": ["sysid.models.lti", "LTI"],
"fields": {"A": {"array": "a0"}, "B": {"array": "a1"}, "C": {"array": "a2"}, "D": {"array": "a3"}, "dt": 0.5, "c": {"array": "a4"},
"d": {"array": "a5"}}}, "Q": {"array": "a6"}, "R": {"array": "a7"}, "S": null,
"initial": {"noun": ["sysid.core.gaussian", "Stationary"], "fields": {}}}}}"""


def written(path, contents, parts):
    """A file with this table of contents and its checksum."""
    from sysid.core import storage

    said = storage._checksum(contents, parts)
    np.savez(path, contents=np.array(json.dumps(contents | {"sha256": said})), **parts)
    return path


def test_a_file_of_the_format_before_names_still_loads_and_one_of_a_later_format_says_so(tmp_path):
    parts = {"a0": np.array([[0.5]]), "a1": np.ones((1, 1)), "a2": np.full((1, 1), 2.0), "a3": np.zeros((1, 1)),
             "a4": np.zeros(1), "a5": np.array([3.0]), "a6": np.full((1, 1), 0.1), "a7": np.ones((1, 1))}
    back = sysid.load(written(tmp_path / "old.npz", json.loads(OLD), parts))
    wanted = sysid.Process(sysid.LTI(0.5, 1.0, 2.0, dt=0.5, d=[3.0]), 0.1, 1.0, initial=sysid.Stationary())
    same(back, wanted)
    assert back.model.output_names is None and back.model.input_names is None
    with pytest.raises(ValueError, match="format 2 or older; received 3. Was it written by a newer version"):
        sysid.load(written(tmp_path / "new.npz", json.loads(OLD) | {"format": 3}, parts))


def test_a_fit_without_the_fields_of_names_loads(tmp_path):
    from sysid.core import storage

    data = sysid.Data(RNG.standard_normal(200), RNG.standard_normal(200), output_names=["level"])
    fit = sysid.fit(data, sysid.Subspace(1))
    arrays = {}
    tree = storage._encode(fit, arrays, "fit")

    def older(node):
        if isinstance(node, dict):
            return {key: older(part) for key, part in node.items() if key not in ("output_names", "input_names")}
        return [older(part) for part in node] if isinstance(node, list) else node

    back = sysid.load(written(tmp_path / "fit.npz", {"format": 1, "tree": older(tree)}, arrays))
    assert back.model.output_names is None and fit.model.output_names == ("level",)
    np.testing.assert_array_equal(back.model.A, fit.model.A)
