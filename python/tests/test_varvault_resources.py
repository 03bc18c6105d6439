# SPDX-License-Identifier: Apache-2.0
"""Vaults of the import name varvault that are kept in a resource."""

import json
import threading

import pytest

import varvault
from varvault import Flags

from support import Ring


@pytest.fixture
def vault():
    return varvault.create(keyring=Ring)


def test_a_resource_is_there_from_the_start(tmp_path):
    path = tmp_path / "sub" / "vault.json"
    for mode in ("w", "a", "w+", "a+"):
        path.unlink(missing_ok=True)
        varvault.create(keyring=Ring, resource=varvault.JsonResource(path, mode))
        assert json.loads(path.read_text()) == {}
    path.write_text('{"a": "x"}')
    varvault.create(keyring=Ring, resource=varvault.JsonResource(path, "w"))
    assert json.loads(path.read_text()) == {}
    missing = tmp_path / "missing.json"
    assert Ring.a not in varvault.create(keyring=Ring, resource=varvault.JsonResource(missing, "r+"))
    assert not missing.exists()
    with pytest.raises(varvault.ResourceNotFoundError, match="Resource not found at: .*missing"):
        varvault.JsonResource(missing)


def test_warnings_say_what_will_not_happen(tmp_path, vault):
    with pytest.warns(UserWarning, match="'other' is not defined in the keyring"):
        assert varvault.Key("other") not in vault
    path = tmp_path / "vault.json"
    path.write_text('{"a": "x", "stranger": 1}')
    with pytest.warns(UserWarning, match="Keys were found in the resource.*stranger"):
        varvault.create(Flags.ignore_keys_not_in_keyring, keyring=Ring, resource=varvault.JsonResource(path))
    reader = varvault.create(keyring=Ring, resource=varvault.JsonResource(path))
    with pytest.warns(UserWarning, match="read-only: what was inserted stays in memory"):
        reader.insert(Ring.b, "y")
    with pytest.warns(UserWarning, match="Tried to write to a resource defined as read-only"):
        reader.resource.write({"b": "y"})
    assert json.loads(path.read_text()) == {"a": "x", "stranger": 1} and reader.get(Ring.b) == "y"


def test_modes_are_checked_and_fixed(tmp_path):
    with pytest.raises(ValueError, match="Invalid mode: x"):
        varvault.JsonResource(tmp_path / "v", "x")
    resource = varvault.JsonResource(tmp_path / "v", varvault.ResourceModes.APPEND_W_LIVE_UPDATE)
    assert resource.mode_properties.live_update and resource.mode_properties.load and not resource.mode_properties.read_only
    with pytest.raises(AttributeError, match="immutable"):
        resource.mode_properties.load = False


def test_a_resource_of_another_kind_says_only_how_it_reads_and_writes():
    store = {}

    class Memory(varvault.BaseResource):
        state = property(lambda self: dict(store))
        path = property(lambda self: self.raw_path)
        resource = property(lambda self: store)

        def exists(self):
            return "values" in store

        def writable(self, obj):
            return all(isinstance(v, str) for v in obj.values())

        def do_write(self, vault):
            store["values"] = dict(vault)

        def do_read(self):
            return dict(store["values"])

    vault = varvault.create(keyring=Ring, resource=Memory(7, "a"))
    vault.insert(Ring.a, "x")
    vault.insert(Ring.n, 1)
    assert store == {"values": {"a": "x"}} == {"values": vault.writable_args}
    again = varvault.create(keyring=Ring, resource=Memory(7, "r+"))
    vault.insert(Ring.b, "y")
    assert Ring.b not in again and again.get(Ring.b) == "y" and Ring.b in again


def test_values_of_types_of_ones_own_are_made_again_from_the_resource(tmp_path):
    class User(varvault.VaultStructDictBase):
        @classmethod
        def create(cls, vault_key, vault_value):
            return cls(vault_value)

    class Names(varvault.VaultStructListBase):
        pass

    class Typed(varvault.Keyring):
        user = varvault.Key("user", valid_type=User)
        names = varvault.Key("names", valid_type=Names)

    path = tmp_path / "vault.json"
    vault = varvault.create(keyring=Typed, resource=varvault.JsonResource(path, "w"))
    user = User(name="ada")
    user.mail = "ada@example.org"
    del user.name
    vault.insert(Typed.user, user)
    again = varvault.create(keyring=Typed, resource=varvault.JsonResource(path)).get(Typed.user)
    assert type(again) is User and again.mail == again["mail"] == "ada@example.org" and not hasattr(again, "name")
    names = Names()
    names.first = "ada"
    assert names == ["ada"]
    vault.insert(Typed.names, names)
    with pytest.raises(NotImplementedError, match="Names does not say how"):
        varvault.create(keyring=Typed, resource=varvault.JsonResource(path))


def test_a_reload_does_not_bring_back_what_an_insert_replaces(tmp_path):
    read, go_on = threading.Event(), threading.Event()

    class Slow(varvault.JsonResource):
        def do_read(self):
            values = super().do_read()
            if threading.current_thread() is reader:
                read.set()
                go_on.wait(60)
            return values

    path = tmp_path / "vault.json"
    path.write_text('{"n": 1}')
    reader = None
    vault = varvault.create(Flags.permit_modifications, keyring=Ring, resource=Slow(path, "a+"))
    path.write_text('{"n": 2, "a": "x"}')
    reader = threading.Thread(target=vault.get, args=(Ring.n,))
    reader.start()
    read.wait(60)
    writer = threading.Thread(target=vault.insert, args=(Ring.n, 3))
    writer.start()
    writer.join(0.2)  # it waits for the reader; a vault that does not make it wait is done by then
    go_on.set()
    writer.join()
    reader.join()
    assert vault.writable_args == {"n": 3, "a": "x"} == json.loads(path.read_text())


def test_a_reload_that_fails_fails_again_and_may_use_the_vault(tmp_path):
    looked = []

    @varvault.validator(skip_source_assertions=True)
    def look(value):
        looked.append(vault.get(Looking.a, Flags.input_key_can_be_missing) if value > 1 else None)

    class Looking(varvault.Keyring):
        a = varvault.Key("a", valid_type=str)
        n = varvault.Key("n", valid_type=int, validators=look)

    path = tmp_path / "vault.json"
    vault = varvault.create(keyring=Looking, resource=varvault.JsonResource(path, "a+"))
    vault.insert(Looking.a, "x")
    path.write_text('{"a": "x", "n": 22}')
    assert vault.get(Looking.n) == 22 and looked == ["x"]
    path.write_text('{"a": "x", "n": "text"}')
    for _ in range(2):
        with pytest.raises(ValueError, match="Key 'n'"):
            vault.get(Looking.a)


def test_a_json_file_keeps_its_mode_and_its_link(tmp_path):
    real, link = tmp_path / "real.json", tmp_path / "link.json"
    real.write_text("{}")
    real.chmod(0o640)
    link.symlink_to(real)
    varvault.create(keyring=Ring, resource=varvault.JsonResource(link, "a")).insert(Ring.a, "x")
    assert link.is_symlink() and json.loads(real.read_text()) == {"a": "x"} and real.stat().st_mode & 0o777 == 0o640
    assert sorted(p.name for p in tmp_path.iterdir()) == ["link.json", "real.json"]


def test_the_file_that_varvault_leaves_when_interrupted_is_found(tmp_path):
    path = tmp_path / "vault.json"
    (tmp_path / "vault.json.bak").write_text('{"a": "x"}')
    assert varvault.create(keyring=Ring, resource=varvault.JsonResource(path)).get(Ring.a) == "x"
    varvault.create(keyring=Ring, resource=varvault.JsonResource(path, "a")).insert(Ring.b, "y")
    assert [p.name for p in tmp_path.iterdir()] == ["vault.json"] and json.loads(path.read_text()) == {"a": "x", "b": "y"}


def test_a_json_resource_keeps_the_vault(tmp_path):
    path = tmp_path / "sub" / "vault.json"
    first = varvault.create(keyring=Ring, resource=varvault.JsonResource(path, mode="w"))
    first.insert(Ring.a, "x")
    assert json.loads(path.read_text()) == {"a": "x"}
    again = varvault.create(keyring=Ring, resource=varvault.JsonResource(path, "a"))
    assert again.get(Ring.a) == "x"
    reader = varvault.create(keyring=Ring, resource=varvault.JsonResource(path, mode="r+"))
    again.insert(Ring.b, "y")
    assert reader.get(Ring.b) == "y"
    reader.insert(Ring.c, "z")
    assert "c" not in json.loads(path.read_text())


def test_a_resource_with_unknown_keys_is_refused_unless_permitted(tmp_path):
    path = tmp_path / "vault.json"
    path.write_text('{"a": "x", "stranger": 1}')
    with pytest.raises(ValueError, match="stranger"):
        varvault.create(keyring=Ring, resource=varvault.JsonResource(path, "a"))
    assert varvault.create(keyring=Ring, resource=varvault.JsonResource(path, "r")).get(Ring.a) == "x"
