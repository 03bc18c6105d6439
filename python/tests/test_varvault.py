# SPDX-License-Identifier: Apache-2.0
"""The import name varvault."""

import asyncio
import threading

import pytest

import varvault
from varvault import Flags

from support import Ring


@pytest.fixture
def vault():
    return varvault.create(keyring=Ring)


def test_keys_are_written_once_and_typed(vault):
    assert Ring.a not in vault
    vault.insert(Ring.a, "1")
    assert Ring.a in vault and vault.get(Ring.a) == "1"
    with pytest.raises(KeyError, match="a already exists"):
        vault.insert(Ring.a, "2")
    vault.insert(Ring.a, "2", Flags.permit_modifications)
    with pytest.raises(ValueError, match="Key 'b' requires type to be '<class 'str'>'"):
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
    with pytest.raises(varvault.ValidatorException, match="even refused 1 for key 'k'"):
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


def test_automatic_functions_without_keys_run_at_once(vault):
    vault.automatic(output=Ring.a)(lambda: "x")
    assert vault.get(Ring.a) == "x"
    vault.automatic(output=Ring.b, threaded=True)(lambda: "y")
    assert vault.await_running_tasks(60) and vault.get(Ring.b) == "y"


def test_an_automatic_function_does_not_run_while_its_outputs_have_values_unless_told_so(vault):
    vault.insert(Ring.b, "from before")
    vault.automatic(input=Ring.a, output=Ring.b)(lambda a: a)
    vault.insert(Ring.a, "x")
    assert vault.get(Ring.b) == "from before"
    vault.automatic(Flags.auto_run_regardless_of_key_status, Flags.permit_modifications, input=Ring.a, output=Ring.c)(
        lambda a: a * 2)
    vault.insert(Ring.a, "y", Flags.permit_modifications)
    assert vault.get(Ring.c) == "yy"


def test_cleaning_keys_starts_no_function(vault):
    ran = []
    vault.automatic(Flags.auto_run_regardless_of_key_status, input=Ring.a)(lambda a: ran.append(a))
    vault.insert(Ring.a, "x")
    vault.manual(Flags.clean_output_keys, output=Ring.a)(lambda: None)()
    assert vault.get(Ring.a) == "" and ran == ["x"]


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


def test_a_wait_for_threaded_functions_that_takes_too_long_raises(vault):
    go = threading.Event()
    vault.automatic(threaded=True)(lambda: go.wait())
    with pytest.raises(TimeoutError, match="within 0 s"):
        vault.await_running_tasks(0)
    with pytest.raises(LookupError):
        vault.await_running_tasks(0, LookupError())
    go.set()
    assert vault.await_running_tasks(60)


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


def test_input_and_output_of_an_automatic_function_cannot_share_a_key(vault):
    with pytest.raises(KeyError, match="input and output cannot contain the same keys"):
        vault.automatic(input=Ring.a, output=Ring.a)(lambda a: a)
    vault.insert(Ring.a, "x")
    vault.manual(Flags.permit_modifications, input=Ring.a, output=Ring.a)(lambda a: a + "y")()
    assert vault.get(Ring.a) == "xy"


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


def test_a_tuple_for_one_key_must_be_announced_by_the_key_or_a_flag():
    class Tuples(varvault.Keyring):
        t = varvault.Key("t")
        typed = varvault.Key("typed", valid_type=tuple)

    vault = varvault.create(keyring=Tuples)
    with pytest.raises(ValueError, match="return_tuple_is_single_item"):
        vault.manual(output=Tuples.t)(lambda: (1, 2))()
    vault.manual(Flags.return_tuple_is_single_item, output=Tuples.t)(lambda: (1, 2))()
    vault.manual(output=Tuples.typed)(lambda: (3, 4))()
    assert vault.get(Tuples.t) == (1, 2) and vault.get(Tuples.typed) == (3, 4)


def test_an_output_may_replace_an_input_and_names_may_be_inputs(vault):
    vault.automatic(Flags.output_key_replaces_input_key, input=Ring.a, output=Ring.b)(lambda a: a + "b")
    vault.insert(Ring.a, "x")
    assert Ring.a not in vault and vault.get(Ring.b) == "xb"
    assert vault.manual(Flags.use_signature_for_input_keys)(lambda b, other=1: (b, other))() == ("xb", 1)


def test_flags_have_their_older_names():
    assert varvault.VaultFlags.permit_modifications() is Flags.permit_modification
    assert Flags.is_set((Flags.debug,), Flags.debug) and not Flags.flag_is_set(Flags.silent, Flags.debug)
    assert varvault.VaultFlags.return_key_can_be_missing is Flags.output_key_can_be_missing


def test_get_of_a_missing_key_raises_unless_permitted(vault):
    vault.manual(output=Ring.a)(lambda: "x")
    with pytest.raises(KeyError, match="no value for a; .*test_varvault.<lambda>.* would give one"):
        vault.get(Ring.a, default="none")
    assert vault.get(Ring.a, Flags.input_key_can_be_missing) is None
    assert vault.get(Ring.a, Flags.input_key_can_be_missing, default="none") == "none"
    vault.insert(Ring.a, "x")
    assert vault.get([Ring.a, Ring.b], Flags.input_key_can_be_missing) == {"a": "x", "b": None}
    with pytest.raises(KeyError, match="no value for b"):
        vault.get([Ring.a, Ring.b])
    with pytest.raises(NotImplementedError, match="is not supported for the 'get' method"):
        vault.get({Ring.a})


def test_what_is_no_flag_is_refused(vault):
    for call in (lambda: varvault.create("debug", keyring=Ring), lambda: vault.insert(Ring.a, "x", "permit_modifications"),
                 lambda: vault.get(Ring.a, None), lambda: vault.manual("debug"), lambda: vault.automatic(1)):
        with pytest.raises(TypeError, match="is not of type Flags"):
            call()


def test_defaults_assigned_by_vault_are_filled_in(vault):
    vault.insert(Ring.a, "x")

    @vault.manual(output=Ring.c)
    def f(first, a=varvault.AssignedByVault, *, b=varvault.AssignedByVault):
        return first + a + b

    with pytest.raises(KeyError, match="no value for b"):
        f("1")
    vault.insert(Ring.b, "y")
    assert f("1") == "1xy" and vault.get(Ring.c) == "1xy"

    @vault.manual(input=Ring.a)
    def g(a=varvault.AssignedByVault, b=varvault.AssignedByVault):
        return a + b

    assert g() == "xy" and g(b="given") == "xgiven"


def test_an_automatic_function_waits_for_its_defaults(vault):
    @vault.automatic(output=Ring.c)
    def f(a=varvault.AssignedByVault, b=varvault.AssignedByVault):
        return a + b

    vault.insert(Ring.a, "x")
    assert Ring.c not in vault
    vault.insert(Ring.b, "y")
    assert vault.get(Ring.c) == "xy"


def test_a_default_that_no_vault_can_fill_in_is_an_error_at_the_call(vault):
    @vault.manual()
    def f(unknown=varvault.AssignedByVault):
        return unknown

    assert f(1) == f(unknown=1) == 1
    with pytest.raises(TypeError, match="expects unknown from a vault"):
        f()


def test_two_vaults_fill_in_the_defaults_of_one_function():
    class Other(varvault.Keyring):
        o = varvault.Key("o")

    vault, other = varvault.create(keyring=Ring), varvault.create(keyring=Other)
    vault.insert(Ring.a, "x")
    other.insert(Other.o, "y")

    @vault.manual(input=Ring.a)
    @other.manual(input=Other.o)
    def f(a=varvault.AssignedByVault, o=varvault.AssignedByVault):
        return a + o

    assert f() == "xy"


def test_inputs_named_by_the_signature_must_be_left_to_the_vault():
    vault = varvault.create(Flags.use_signature_for_input_keys, keyring=Ring)
    with pytest.raises(AssertionError, match="f.. expects wrong from the vault"):
        @vault.manual()
        def f(wrong=varvault.AssignedByVault):
            pass
    with pytest.raises(AssertionError, match="another default than AssignedByVault"):
        @vault.manual()
        def g(a=None):
            pass


def test_modifiers_change_values_before_they_are_checked():
    @varvault.modifier()
    def doubled(value):
        return value * 2

    @varvault.validator()
    def four(value):
        assert value == 4

    class Modified(varvault.Keyring):
        k = varvault.Key("k", valid_type=int, modifiers=doubled, validators=[four])

    vault = varvault.create(Flags.permit_modifications, keyring=Modified)
    vault.insert(Modified.k, 2)
    assert vault.get(Modified.k) == 4
    with pytest.raises(varvault.ValidatorException, match="refused 6 for key 'k'"):
        vault.insert(Modified.k, 3)
    with pytest.raises(varvault.ModifierException, match="doubled failed on None"):
        vault.insert(Modified.k, None)
    with pytest.raises(ValueError, match="is not decorated with <function modifier"):
        varvault.Key("k", modifiers=len)


def test_validators_that_cannot_work_are_refused():
    with pytest.raises(TypeError, match="one parameter"):
        varvault.validator()(lambda a, b: a)
    with pytest.raises(ValueError, match="asserts nothing"):
        @varvault.validator()
        def nothing(value):
            pass
    with pytest.warns(SyntaxWarning, match="not annotated so"):
        @varvault.validator(function_returns_bool=True)
        def unannotated(value):
            return 1
    with pytest.raises(varvault.ValidatorException, match="is to return a bool"):
        unannotated(1, "k")
    with pytest.raises(ValueError, match="is not decorated with <function validator"):
        varvault.Key("k", validators=len)


def test_a_key_knows_the_functions_bound_to_it():
    class Used(varvault.Keyring):
        k = varvault.Key("k")

    vault = varvault.create(keyring=Used)
    vault.lambdavaulter(len, output_keys=Used.k)

    @vault.manual(input=Used.k)
    def use(k):
        pass

    assert Used.k.usages.as_input == ["test_varvault.use"] and Used.k.usages.as_return == ["builtins.len"]


def test_functions_registered_in_a_group_take_part_in_a_vault(vault):
    group = varvault.ThreadGroup()
    group.register()(vault.manual(output=Ring.a)(lambda: "x"))
    assert group.execute().asdict() == {"<lambda>": ["x"]} and vault.get(Ring.a) == "x"
    with pytest.raises(ZeroDivisionError):
        varvault.threaded_execution(varvault.create_functions(lambda n: 1 // n, [1, 0]))
