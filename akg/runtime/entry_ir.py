"""LLVM IR of the native entry: one function that calls every kernel, driven by a table per kernel.

It is an ordinary CPython function (METH_FASTCALL | METH_KEYWORDS). Its `self` is a tuple whose first element
is the address of the kernel's table (`entry_checks` describes it). All checks come first; whatever does not fit
goes to the careful callable with the same arguments.
"""

from __future__ import annotations

from akg.runtime import entry_checks
from akg.runtime.entry_checks import DATA, HEADER, MAX_PARAMS, MAX_SIZES, RECORD, TYPE

SYMBOL = "akg_entry"
FUNCTIONS = (
    "PyTuple_GetItem", "PyTuple_SetItem", "PyTuple_Size", "PyTuple_New", "PyLong_AsVoidPtr", "PyLong_AsLongLong",
    "PyLong_FromLongLong", "PyFloat_AsDouble", "PyErr_Occurred", "PyErr_Clear",
    "PyObject_Vectorcall", "PyObject_CallNoArgs", "PyEval_SaveThread", "PyEval_RestoreThread", "Py_IncRef",
    "Py_DecRef", "PyContextVar_Get",
)  # fmt: skip
OBJECTS: dict[str, object] = {
    "py_none": None, "py_true": True, "py_false": False, "py_int": int, "py_float": float, "py_tuple": tuple,
}  # fmt: skip

_DECLARATIONS = """
declare ptr @PyTuple_GetItem(ptr, i64)
declare i32 @PyTuple_SetItem(ptr, i64, ptr)
declare i64 @PyTuple_Size(ptr)
declare ptr @PyTuple_New(i64)
declare ptr @PyLong_AsVoidPtr(ptr)
declare i64 @PyLong_AsLongLong(ptr)
declare ptr @PyLong_FromLongLong(i64)
declare double @PyFloat_AsDouble(ptr)
declare ptr @PyErr_Occurred()
declare void @PyErr_Clear()
declare ptr @PyObject_Vectorcall(ptr, ptr, i64, ptr)
declare ptr @PyObject_CallNoArgs(ptr)
declare ptr @PyEval_SaveThread()
declare void @PyEval_RestoreThread(ptr)
declare void @Py_IncRef(ptr)
declare void @Py_DecRef(ptr)
declare i32 @PyContextVar_Get(ptr, ptr, ptr)
declare i32 @pthread_setspecific(i32, ptr)
"""

_ENTRY = f"""
define ptr @{SYMBOL}(ptr %self, ptr %args, i64 %nargs, ptr %kwnames) {{
entry:
  %slots = alloca [{MAX_PARAMS + MAX_SIZES} x i64], align 16
  %lens = alloca [{MAX_PARAMS} x i64], align 16
  %sizes = alloca [{MAX_SIZES} x i64], align 16
  %objs = alloca [{MAX_PARAMS} x ptr], align 16
  %value = alloca ptr, align 8
  call void @llvm.memset.p0.i64(ptr align 16 %sizes, i8 0, i64 {8 * MAX_SIZES}, i1 false)
  %int = call ptr @PyTuple_GetItem(ptr %self, i64 0)
  %h = call ptr @PyLong_AsVoidPtr(ptr %int)
  %h1 = getelementptr i64, ptr %h, i64 1
  %careful = load ptr, ptr %h1
  %h2 = getelementptr i64, ptr %h, i64 2
  %n_args = load i64, ptr %h2
  %h3 = getelementptr i64, ptr %h, i64 3
  %n_outs = load i64, ptr %h3
  %h5 = getelementptr i64, ptr %h, i64 5
  %ndarray = load ptr, ptr %h5
  %params = getelementptr i64, ptr %h, i64 {HEADER}
  %right_count = icmp eq i64 %nargs, %n_args
  br i1 %right_count, label %keywords, label %slow
keywords:
  %no_keywords = icmp eq ptr %kwnames, null
  br i1 %no_keywords, label %args_begin, label %one_keyword
one_keyword:
  %n_keywords = call i64 @PyTuple_Size(ptr %kwnames)
  %just_one = icmp eq i64 %n_keywords, 1
  br i1 %just_one, label %is_out, label %slow
is_out:
  %keyword = call ptr @PyTuple_GetItem(ptr %kwnames, i64 0)
  %h6 = getelementptr i64, ptr %h, i64 6
  %out_name = load ptr, ptr %h6
  %named_out = icmp eq ptr %keyword, %out_name
  br i1 %named_out, label %given, label %slow
given:
  %pout = getelementptr ptr, ptr %args, i64 %nargs
  %out = load ptr, ptr %pout
  switch i64 %n_outs, label %given_many [i64 0, label %slow i64 1, label %given_one]
given_one:
  store ptr %out, ptr %objs
  br label %args_begin
given_many:
  %ptype = getelementptr i8, ptr %out, i64 {TYPE}
  %type = load ptr, ptr %ptype
  %is_tuple = icmp eq ptr %type, @py_tuple
  br i1 %is_tuple, label %tuple_size, label %slow
tuple_size:
  %n_given = call i64 @PyTuple_Size(ptr %out)
  %enough = icmp eq i64 %n_given, %n_outs
  br i1 %enough, label %unpack, label %slow
unpack:
  %u = phi i64 [0, %tuple_size], [%u1, %unpack]
  %item = call ptr @PyTuple_GetItem(ptr %out, i64 %u)
  %pitem = getelementptr ptr, ptr %objs, i64 %u
  store ptr %item, ptr %pitem
  %u1 = add i64 %u, 1
  %u_more = icmp slt i64 %u1, %n_outs
  br i1 %u_more, label %unpack, label %args_begin

args_begin:
  %is_given = phi i1 [false, %keywords], [true, %given_one], [true, %unpack]
  %given_result = phi ptr [null, %keywords], [%out, %given_one], [%out, %unpack]
  %n_present = select i1 %is_given, i64 %n_outs, i64 0
  %n_checked = add i64 %n_args, %n_present
  br label %args_head
args_head:
  %i = phi i64 [0, %args_begin], [%i1, %args_next]
  %r = phi ptr [%params, %args_begin], [%r1, %args_next]
  %i_more = icmp slt i64 %i, %n_checked
  br i1 %i_more, label %arg, label %aliases
arg:
  %j = sub i64 %i, %n_args
  %is_output = icmp sge i64 %j, 0
  %pa = getelementptr ptr, ptr %args, i64 %i
  %pb = getelementptr ptr, ptr %objs, i64 %j
  %pab = select i1 %is_output, ptr %pb, ptr %pa
  %o = load ptr, ptr %pab
  %slot = getelementptr i64, ptr %slots, i64 %i
  %len = getelementptr i64, ptr %lens, i64 %i
  store i64 0, ptr %len
  %kind = load i64, ptr %r
  %is_array = icmp eq i64 %kind, 0
  br i1 %is_array, label %array, label %scalar
array:
  %array_fits = call i1 @check_array(ptr %o, ptr %r, ptr %sizes, ptr %ndarray, ptr %slot, ptr %len)
  br i1 %array_fits, label %args_next, label %slow
scalar:
  %scalar_fits = call i1 @check_scalar(ptr %o, ptr %r, i64 %kind, ptr %slot)
  br i1 %scalar_fits, label %args_next, label %slow
args_next:
  %i1 = add i64 %i, 1
  %r1 = getelementptr i64, ptr %r, i64 {RECORD}
  br label %args_head

aliases:
  %h9 = getelementptr i64, ptr %h, i64 9
  %writes = load i64, ptr %h9
  %writes_argument = icmp ne i64 %writes, 0
  %may_alias = or i1 %is_given, %writes_argument
  br i1 %may_alias, label %check_aliases, label %outs_begin
check_aliases:
  %aliased = call i1 @overlaps(ptr %params, i64 %n_checked, ptr %slots, ptr %lens)
  br i1 %aliased, label %slow, label %outs_begin
outs_begin:
  br i1 %is_given, label %sizes_begin, label %outs_head
outs_head:
  %q = phi i64 [0, %outs_begin], [%q1, %outs_next]
  %q_more = icmp slt i64 %q, %n_outs
  br i1 %q_more, label %out_body, label %sizes_begin
out_body:
  %w = add i64 %n_args, %q
  %w_offset = mul i64 %w, {RECORD}
  %w_record = getelementptr i64, ptr %params, i64 %w_offset
  %fresh = call ptr @allocate(ptr %h, ptr %w_record, ptr %sizes)
  %fresh_int = ptrtoint ptr %fresh to i64
  switch i64 %fresh_int, label %outs_next [i64 0, label %fail i64 -1, label %retreat]
outs_next:
  %pobj = getelementptr ptr, ptr %objs, i64 %q
  store ptr %fresh, ptr %pobj
  %pdata = getelementptr i8, ptr %fresh, i64 {DATA}
  %data = load i64, ptr %pdata
  %w_slot = getelementptr i64, ptr %slots, i64 %w
  store i64 %data, ptr %w_slot
  %q1 = add i64 %q, 1
  br label %outs_head

sizes_begin:
  %h4 = getelementptr i64, ptr %h, i64 4
  %n_sizes = load i64, ptr %h4
  %size_base = add i64 %n_args, %n_outs
  br label %sizes_head
sizes_head:
  %z = phi i64 [0, %sizes_begin], [%z1, %sizes_body]
  %z_more = icmp slt i64 %z, %n_sizes
  br i1 %z_more, label %sizes_body, label %before
sizes_body:
  %pz = getelementptr i64, ptr %sizes, i64 %z
  %vz = load i64, ptr %pz
  %z_slot = add i64 %size_base, %z
  %pz_slot = getelementptr i64, ptr %slots, i64 %z_slot
  store i64 %vz, ptr %pz_slot
  %z1 = add i64 %z, 1
  br label %sizes_head

before:
  %n_own = select i1 %is_given, i64 0, i64 %n_outs
  %h11 = getelementptr i64, ptr %h, i64 11
  %hook = load ptr, ptr %h11
  %has_hook = icmp ne ptr %hook, null
  br i1 %has_hook, label %threads, label %run
threads:
  %h12 = getelementptr i64, ptr %h, i64 12
  %context_variable = load ptr, ptr %h12
  %h13 = getelementptr i64, ptr %h, i64 13
  %pcount = load ptr, ptr %h13
  %count = load i32, ptr %pcount
  %got = call i32 @PyContextVar_Get(ptr %context_variable, ptr null, ptr %value)
  %got_failed = icmp slt i32 %got, 0
  br i1 %got_failed, label %fail_all, label %overridden
overridden:
  %overrides = load ptr, ptr %value
  %no_overrides = icmp eq ptr %overrides, @py_none
  call void @Py_DecRef(ptr %overrides)
  %is_known = icmp ne i32 %count, 0
  %is_quick = and i1 %no_overrides, %is_known
  br i1 %is_quick, label %set_threads, label %run_hook
set_threads:
  %h14 = getelementptr i64, ptr %h, i64 14
  %key = load i32, ptr %h14
  %wide_count = zext i32 %count to i64
  %as_pointer = inttoptr i64 %wide_count to ptr
  %set_failed = call i32 @pthread_setspecific(i32 %key, ptr %as_pointer)
  br label %run
run_hook:
  %hooked = call ptr @PyObject_CallNoArgs(ptr %hook)
  %hook_failed = icmp eq ptr %hooked, null
  br i1 %hook_failed, label %fail_all, label %drop_hooked
drop_hooked:
  call void @Py_DecRef(ptr %hooked)
  br label %run
run:
  %fn = load ptr, ptr %h
  %thread = call ptr @PyEval_SaveThread()
  %rc = call i32 %fn(ptr %slots)
  call void @PyEval_RestoreThread(ptr %thread)
  %ok = icmp eq i32 %rc, 0
  br i1 %ok, label %result, label %failed

result:
  br i1 %is_given, label %return_given, label %return_own
return_given:
  call void @Py_IncRef(ptr %given_result)
  ret ptr %given_result
return_own:
  switch i64 %n_outs, label %return_many [i64 0, label %return_none i64 1, label %return_one]
return_none:
  call void @Py_IncRef(ptr @py_none)
  ret ptr @py_none
return_one:
  %one = load ptr, ptr %objs
  ret ptr %one
return_many:
  %many = call ptr @PyTuple_New(i64 %n_outs)
  %no_tuple = icmp eq ptr %many, null
  br i1 %no_tuple, label %fail_all, label %pack
pack:
  %y = phi i64 [0, %return_many], [%y1, %pack]
  %py = getelementptr ptr, ptr %objs, i64 %y
  %oy = load ptr, ptr %py
  %set = call i32 @PyTuple_SetItem(ptr %many, i64 %y, ptr %oy)
  %y1 = add i64 %y, 1
  %y_more = icmp slt i64 %y1, %n_outs
  br i1 %y_more, label %pack, label %return_tuple
return_tuple:
  ret ptr %many

failed:
  %h10 = getelementptr i64, ptr %h, i64 10
  %raise = load ptr, ptr %h10
  %wide_rc = sext i32 %rc to i64
  %status = call ptr @PyLong_FromLongLong(i64 %wide_rc)
  %no_status = icmp eq ptr %status, null
  br i1 %no_status, label %fail_all, label %tell
tell:
  store ptr %status, ptr %value
  %told = call ptr @PyObject_Vectorcall(ptr %raise, ptr %value, i64 1, ptr null)
  call void @Py_DecRef(ptr %status)
  br label %fail_all
fail_all:
  call void @release(ptr %objs, i64 %n_own)
  ret ptr null
fail:
  call void @release(ptr %objs, i64 %q)
  ret ptr null
retreat:
  call void @release(ptr %objs, i64 %q)
  br label %slow
slow:
  %answer = call ptr @PyObject_Vectorcall(ptr %careful, ptr %args, i64 %nargs, ptr %kwnames)
  ret ptr %answer
}}
declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)
"""


def text(large_bytes: int) -> str:
    """The module; outputs of `large_bytes` and more come from the allocator of large arrays."""
    objects = "".join(f"@{name} = external global i8\n" for name in OBJECTS)
    return objects + _DECLARATIONS + entry_checks.parts(large_bytes) + _ENTRY
