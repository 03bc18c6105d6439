# SPDX-License-Identifier: Apache-2.0
"""The import name varvault."""

import asyncio
import json
import threading

import pytest

import varvault
from varvault import Flags


class Ring(varvault.Keyring):
    a = varvault.Key("a", valid_type=str)
    b = varvault.Key("b", valid_type=str)
    c = varvault.Key("c", valid_type=str)
    n = varvault.Key("n", valid_type=int, can_be_none=True)


@pytest.fixture
def vault():
    return varvault.create(keyring=Ring)


def test_keys_are_written_once_and_typed(vault):
    assert Ring.a not in vault
    vault.insert(Ring.a, "1")
    assert Ring.a in vault and vault.get(Ring.a) == "1" and vault.get(Ring.b, "none") == "none"
    with pytest.raises(KeyError, match="a already exists"):
        vault.insert(Ring.a, "2")
    vault.insert(Ring.a, "2", Flags.permit_modifications)
    with pytest.raises(TypeError, match="takes str, not int"):
        vault.insert(Ring.b, 1)
    vault.insert(Ring.n, None)
    with pytest.raises(KeyError, match="keyring"):
        vault.insert(varvault.Key("unknown"), 1)


def test_a_validator_refuses_values():
    @varvault.validator(function_returns_bool=True)
    def even(x) -> bool:
        return x % 2 == 0

    class Even(varvault.Keyring):
        k = varvault.Key("k", valid_type=int, validators=even)

    vault = varvault.create(keyring=Even)
    with pytest.raises(AssertionError):
        vault.insert(Even.k, 1)
    vault.insert(Even.k, 2)


def test_a_manual_function_takes_from_the_vault_and_gives_to_it(vault):
    vault.insert(Ring.a, "x")

    @vault.manual(input=Ring.a, output=(Ring.b, Ring.c))
    def f(a=varvault.AssignedByVault):
        return a + "b", a + "c"

    assert f() == ("xb", "xc") and vault.get(Ring.c) == "xc"
    with pytest.raises(KeyError):
        f()


def test_a_missing_input_is_an_error_unless_permitted(vault):
    with pytest.raises(KeyError, match="no value for a"):
        vault.manual(input=Ring.a)(lambda a: a)()
    assert vault.manual(Flags.input_key_can_be_missing, input=Ring.a)(lambda a: a)() is None


def test_automatic_functions_follow_one_another(vault):
    vault.automatic(input=Ring.a, output=Ring.b)(lambda a: a + "b")
    vault.automatic(input=(Ring.a, Ring.b), output=Ring.c)(lambda a, b: a + b)
    vault.insert(Ring.a, "x")
    assert vault.get(Ring.c) == "xxb"


def test_an_automatic_function_runs_only_if_its_condition_is_true(vault):
    vault.automatic(input=Ring.a, output=Ring.b, condition=lambda: vault.get(Ring.a) == "go")(lambda a: a)
    vault.insert(Ring.a, "stay")
    assert Ring.b not in vault
    vault.insert(Ring.a, "go", Flags.permit_modifications)
    assert vault.get(Ring.b) == "go"


def test_threaded_automatic_functions_run_at_the_same_time(vault):
    together = threading.Barrier(2)

    def wait(a):
        together.wait(60)
        return threading.current_thread().name

    vault.automatic(input=Ring.a, output=Ring.b, threaded=True)(wait)
    vault.automatic(input=Ring.a, output=Ring.c, threaded=True)(wait)
    vault.insert(Ring.a, "x")
    assert vault.await_running_tasks(timeout=60) and vault.running_tasks == []
    assert vault.get(Ring.b).startswith("vault_") and vault.get(Ring.b) != vault.get(Ring.c)


def test_the_failure_of_a_threaded_function_is_raised_by_the_wait(vault):
    vault.automatic(input=Ring.a, threaded=True)(lambda a: 1 / 0)
    vault.insert(Ring.a, "x")
    with pytest.raises(ZeroDivisionError):
        vault.await_running_tasks()


def test_coroutines_are_bound_manually_but_not_automatically(vault):
    @vault.manual(output=Ring.a)
    async def f():
        return "x"

    asyncio.run(f())
    assert vault.get(Ring.a) == "x"
    with pytest.raises(ValueError, match="threaded=True"):
        @vault.automatic()
        async def g():
            pass


def test_input_and_output_cannot_share_a_key(vault):
    with pytest.raises(KeyError, match="input and output cannot contain the same keys"):
        vault.automatic(input=Ring.a, output=Ring.a)(lambda a: a)


def test_flags_say_what_a_function_may_return(vault):
    with pytest.raises(KeyError):
        vault.manual(output=(Ring.a, Ring.b))(lambda: varvault.MiniVault({Ring.a: "x"}))()
    vault.manual(Flags.output_key_can_be_missing, output=(Ring.a, Ring.b))(lambda: varvault.MiniVault({Ring.a: "x"}))()
    vault.manual(Flags.split_output_keys, output=Ring.b)(lambda: varvault.MiniVault({Ring.b: "y", Ring.c: "z"}))()
    assert (vault.get(Ring.a), vault.get(Ring.b), Ring.c in vault) == ("x", "y", False)
    vault.manual(Flags.clean_output_keys, output=(Ring.a, Ring.b))(lambda: None)()
    assert vault.get(Ring.a) == vault.get(Ring.b) == ""
    with pytest.raises(ValueError):
        vault.manual(Flags.return_values_cannot_be_none, output=Ring.n)(lambda: None)()


def test_a_tuple_for_one_key_must_be_announced():
    class Tuples(varvault.Keyring):
        t = varvault.Key("t", valid_type=tuple)

    vault = varvault.create(keyring=Tuples)
    with pytest.raises(ValueError, match="return_tuple_is_single_item"):
        vault.manual(output=Tuples.t)(lambda: (1, 2))()
    vault.manual(Flags.return_tuple_is_single_item, output=Tuples.t)(lambda: (1, 2))()
    assert vault.get(Tuples.t) == (1, 2)


def test_an_output_may_replace_an_input_and_names_may_be_inputs(vault):
    vault.automatic(Flags.output_key_replaces_input_key, input=Ring.a, output=Ring.b)(lambda a: a + "b")
    vault.insert(Ring.a, "x")
    assert Ring.a not in vault and vault.get(Ring.b) == "xb"
    assert vault.manual(Flags.use_signature_for_input_keys)(lambda b, other=1: (b, other))() == ("xb", 1)


def test_flags_have_their_older_names():
    assert varvault.VaultFlags.permit_modifications() is Flags.permit_modification
    assert Flags.is_set((Flags.debug,), Flags.debug) and not Flags.flag_is_set(Flags.silent, Flags.debug)
    assert varvault.VaultFlags.return_key_can_be_missing is Flags.output_key_can_be_missing


def test_a_json_resource_keeps_the_vault(tmp_path):
    path = tmp_path / "sub" / "vault.json"
    first = varvault.create(keyring=Ring, resource=varvault.JsonResource(path, mode="w"))
    first.insert(Ring.a, "x")
    assert json.loads(path.read_text()) == {"a": "x"}
    again = varvault.create(keyring=Ring, resource=varvault.JsonResource(path))
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
        varvault.create(keyring=Ring, resource=varvault.JsonResource(path))
    vault = varvault.create(Flags.ignore_keys_not_in_keyring, keyring=Ring, resource=varvault.JsonResource(path))
    assert vault.get(Ring.a) == "x"
