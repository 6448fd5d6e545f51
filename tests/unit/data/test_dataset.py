import hashlib
import json

import numpy as np
import pytest

from seqrec.data.dataset import Dataset
from seqrec.errors import ConfigError, DataError, ResourceError


@pytest.fixture
def dataset(make_log) -> Dataset:
    return make_log(("a", 5, 1), ("a", 7, 2), ("b", 5, 3), ("é", 9, 4)).prepare()


def same(one: Dataset, other: Dataset) -> bool:
    arrays = all(
        np.array_equal(getattr(one, name), getattr(other, name)) for name in ("items", "offsets")
    )
    times = (one.times is None and other.times is None) or np.array_equal(one.times, other.times)
    ids = one.user_ids.ids.equals(other.user_ids.ids) and one.item_ids.ids.equals(
        other.item_ids.ids
    )
    return arrays and times and ids and one.audit == other.audit


def test_saved_and_loaded_is_the_same(dataset, tmp_path):
    dataset.save(tmp_path / "data")
    loaded = Dataset.load(tmp_path / "data")
    assert same(loaded, dataset)
    assert loaded.fingerprint == dataset.fingerprint


def test_a_data_set_without_times_is_saved_too(make_log, tmp_path):
    dataset = make_log((1, 2), (1, 3)).prepare()
    dataset.save(tmp_path / "data")
    assert Dataset.load(tmp_path / "data").times is None


def test_a_loaded_data_set_is_mapped_and_read_only(dataset, tmp_path):
    dataset.save(tmp_path / "data")
    items = Dataset.load(tmp_path / "data").items
    assert isinstance(items, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        items[0] = 2


def test_a_loaded_data_set_can_be_split(make_log, tmp_path):
    make_log((1, 2), (1, 3), (1, 4)).prepare().save(tmp_path / "data")
    split = Dataset.load(tmp_path / "data").split()
    assert split.test.targets.tolist() == [3]


def test_saving_twice_writes_the_same_bytes(dataset, tmp_path):
    for name in ("one", "two"):
        dataset.save(tmp_path / name)
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()


def test_nothing_is_pickled(dataset, tmp_path):
    dataset.save(tmp_path / "data")
    for path in (tmp_path / "data").glob("*.npy"):
        np.load(path, allow_pickle=False)


def test_an_existing_folder_is_kept(dataset, tmp_path):
    dataset.save(tmp_path / "data")
    with pytest.raises(ResourceError, match=r"exists already.*overwrite=True"):
        dataset.save(tmp_path / "data")


def test_an_existing_data_set_can_be_replaced(dataset, make_log, tmp_path):
    dataset.save(tmp_path / "data")
    other = make_log((1, 2), (1, 3)).prepare()
    other.save(tmp_path / "data", overwrite=True)
    assert Dataset.load(tmp_path / "data").fingerprint == other.fingerprint
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


@pytest.mark.parametrize(
    "name", ["items.npy", "offsets.npy", "times.npy", "user_ids.bytes.npy", "dataset.json"]
)
def test_a_missing_file_is_named(dataset, tmp_path, name):
    dataset.save(tmp_path / "data")
    (tmp_path / "data" / name).unlink()
    with pytest.raises(DataError, match=name):
        Dataset.load(tmp_path / "data")


def test_a_changed_byte_is_found_and_its_file_named(dataset, tmp_path):
    dataset.save(tmp_path / "data")
    path = tmp_path / "data" / "items.npy"
    content = bytearray(path.read_bytes())
    content[-4] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"items\.npy is damaged"):
        Dataset.load(tmp_path / "data")


def test_ids_outside_the_catalogue_are_found_without_digests(dataset, tmp_path):
    dataset.save(tmp_path / "data")
    path = tmp_path / "data" / "items.npy"
    content = bytearray(path.read_bytes())
    content[-1] = 127
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"items\.npy.* has ids 1\.\.\d+ outside 1\.\.3"):
        Dataset.load(tmp_path / "data", verify=False)


def test_a_truncated_file_is_found_by_its_size(dataset, tmp_path):
    dataset.save(tmp_path / "data")
    path = tmp_path / "data" / "times.npy"
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(DataError, match=r"times\.npy.* has \d+ bytes"):
        Dataset.load(tmp_path / "data", verify=False)


def test_another_format_version_is_named(dataset, tmp_path):
    dataset.save(tmp_path / "data")
    path = tmp_path / "data" / "manifest.json"
    path.write_text(path.read_text().replace('"version": 1', '"version": 99'))
    with pytest.raises(DataError, match="format version 99, and this seqrec reads version 1"):
        Dataset.load(tmp_path / "data")


def test_a_folder_that_is_no_data_set_is_named(tmp_path):
    with pytest.raises(DataError, match=r"manifest\.json"):
        Dataset.load(tmp_path)


def test_the_audit_is_json(dataset, tmp_path):
    dataset.save(tmp_path / "data")
    stored = json.loads((tmp_path / "data" / "dataset.json").read_text())
    assert stored["audit"] == dataset.audit


def test_an_unknown_split_names_the_known(dataset):
    with pytest.raises(ConfigError, match="leave_one_out"):
        dataset.split("random")


def test_leave_one_out_takes_no_cuts(dataset):
    with pytest.raises(ConfigError, match="cuts"):
        dataset.split("leave_one_out", cuts=(1, 2))


def keeps(raw: str) -> bool:
    digest = hashlib.sha256(f"seqrec/1|small||{raw}||".encode()).digest()
    return int.from_bytes(digest[:8], "little") < 2**64 // 10


def test_small_keeps_users_by_the_hash_of_their_raw_id(make_log):
    dataset = make_log(*[(user, user % 7 + item) for user in range(200) for item in (1, 2, 3)])
    dataset = dataset.prepare()
    small = dataset.small()
    kept = [user for user in range(200) if keeps(str(user))]
    assert small.user_ids.decode(np.arange(small.n_users)).tolist() == kept


def test_small_has_the_catalogue_of_its_users(make_log):
    dataset = make_log(*[(f"u{user}", f"i{user}") for user in range(100)]).prepare()
    small = dataset.small()
    kept = sorted(f"i{user}" for user in range(100) if keeps(f"u{user}"))
    assert small.item_ids.decode(np.arange(small.n_items)).tolist() == kept
    assert small.items.min() == 1


def test_small_keeps_each_sequence_and_its_times(make_log):
    rows = [(user, item * 3, item) for user in range(100) for item in range(4)]
    small = make_log(*rows).prepare().small()
    assert (small.times.reshape(-1, 4) == np.arange(4)).all()
    assert (small.item_ids.decode(small.items - 1).reshape(-1, 4) == 3 * np.arange(4)).all()


def test_small_of_nobody_is_an_error(make_log):
    user = next(user for user in range(100) if not keeps(str(user)))
    with pytest.raises(DataError, match="keeps none of the 1 users"):
        make_log((user, 1)).prepare().small()


def test_the_fingerprint_sees_items_times_and_raw_ids(make_log):
    logs = [
        make_log((1, 5, 1), (1, 6, 2)),
        make_log((1, 6, 1), (1, 5, 2)),
        make_log((1, 5, 1), (1, 6, 3)),
        make_log((2, 5, 1), (2, 6, 2)),
        make_log((1, 5, 1), (1, 7, 2)),
        make_log((1, 5), (1, 6)),
    ]
    assert len({log.prepare().fingerprint for log in logs}) == len(logs)


def test_a_thread_that_the_system_refuses_is_an_error_of_ours(make_log, request):
    log = make_log((1, 5), (1, 6))
    request.getfixturevalue("no_thread_starts")
    with pytest.raises(ResourceError, match="starts no more threads"):
        log.prepare()
