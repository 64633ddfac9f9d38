"""LLVM IR of the native entry: one function that calls every kernel, driven by a table per kernel.

It is an ordinary CPython function (METH_FASTCALL | METH_KEYWORDS). Its `self` is a tuple whose first element
is the address of the kernel's table, in 8-byte slots (`entry.py` writes it):

    header   0 packed function, 1 careful callable, 2 arguments, 3 outputs, 4 sizes, 5 type ndarray, 6 str "out",
             7 allocator, 8 allocator of large arrays, 9 whether an argument is written, 10 text of MemoryError,
             11 callable to run before the kernel, or 0
    params   RECORD slots each, arguments then outputs:
             0 kind: 0 array, 1 float64, 2 float32, 3 integer, 4 bool
             1 dtype object | smallest integer, 2 rank | largest integer, 3 flags that the array must have,
             4 bytes of an element, 5 shape tuple or 0, then DIM slots per dimension:
             0 whether it binds a size, 1 const, 2 size, 3 coefficient, 4 second size, 5 its coefficient

A dimension is ``const + coefficient * size + coefficient2 * size2``. All checks come first; whatever does not
fit goes to the careful callable with the same arguments, before anything has been allocated. Only exact
ndarrays are read, through the fields that NumPy's C macros read (`entry.py` probes their offsets).
"""

from __future__ import annotations

HEADER = 12
MAX_RANK = 8
DIM = 6
RECORD = 6 + DIM * MAX_RANK
MAX_PARAMS = 48
MAX_SIZES = 16
SYMBOL = "akg_entry"
# Offsets in an ndarray object: type, data, rank, dimensions, dtype, flags.
TYPE, DATA, RANK, DIMENSIONS, DTYPE, FLAGS = 8, 16, 24, 32, 56, 64
C_CONTIGUOUS, ALIGNED, WRITEABLE = 0x1, 0x100, 0x400

FUNCTIONS = (
    "PyTuple_GetItem", "PyTuple_SetItem", "PyTuple_Size", "PyTuple_New", "PyLong_AsVoidPtr", "PyLong_AsLongLong",
    "PyLong_FromLongLong", "PyFloat_AsDouble", "PyErr_Occurred", "PyErr_Clear", "PyErr_SetString",
    "PyObject_Vectorcall", "PyObject_CallNoArgs", "PyEval_SaveThread", "PyEval_RestoreThread", "Py_IncRef",
    "Py_DecRef",
)  # fmt: skip
OBJECTS: dict[str, object] = {
    "py_none": None, "py_true": True, "py_false": False, "py_int": int, "py_float": float, "py_tuple": tuple,
    "py_memory_error": MemoryError,
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
declare void @PyErr_SetString(ptr, ptr)
declare ptr @PyObject_Vectorcall(ptr, ptr, i64, ptr)
declare ptr @PyObject_CallNoArgs(ptr)
declare ptr @PyEval_SaveThread()
declare void @PyEval_RestoreThread(ptr)
declare void @Py_IncRef(ptr)
declare void @Py_DecRef(ptr)
"""

# The extent that a dimension record asks for, under the sizes known so far.
_EXTENT = """
define internal i64 @extent(ptr %d, ptr %sizes) alwaysinline {
  %pc = getelementptr i64, ptr %d, i64 1
  %c = load i64, ptr %pc
  %ps1 = getelementptr i64, ptr %d, i64 2
  %s1 = load i64, ptr %ps1
  %pc1 = getelementptr i64, ptr %d, i64 3
  %c1 = load i64, ptr %pc1
  %ps2 = getelementptr i64, ptr %d, i64 4
  %s2 = load i64, ptr %ps2
  %pc2 = getelementptr i64, ptr %d, i64 5
  %c2 = load i64, ptr %pc2
  %pv1 = getelementptr i64, ptr %sizes, i64 %s1
  %v1 = load i64, ptr %pv1
  %pv2 = getelementptr i64, ptr %sizes, i64 %s2
  %v2 = load i64, ptr %pv2
  %m1 = mul i64 %c1, %v1
  %m2 = mul i64 %c2, %v2
  %t = add i64 %c, %m1
  %x = add i64 %t, %m2
  ret i64 %x
}
"""

# Whether an object is an array that fits its record; stores its address and length in bytes, and binds sizes.
_CHECK_ARRAY = f"""
define internal i1 @check_array(ptr %o, ptr %r, ptr %sizes, ptr %ndarray, ptr %slot, ptr %len) {{
entry:
  %ptype = getelementptr i8, ptr %o, i64 {TYPE}
  %type = load ptr, ptr %ptype
  %is_array = icmp eq ptr %type, %ndarray
  br i1 %is_array, label %check_dtype, label %bad
check_dtype:
  %pdtype = getelementptr i8, ptr %o, i64 {DTYPE}
  %dtype = load ptr, ptr %pdtype
  %pwant = getelementptr i64, ptr %r, i64 1
  %want = load ptr, ptr %pwant
  %same_dtype = icmp eq ptr %dtype, %want
  br i1 %same_dtype, label %check_flags, label %bad
check_flags:
  %pflags = getelementptr i8, ptr %o, i64 {FLAGS}
  %flags = load i32, ptr %pflags
  %pmask = getelementptr i64, ptr %r, i64 3
  %mask = load i32, ptr %pmask
  %masked = and i32 %flags, %mask
  %has_flags = icmp eq i32 %masked, %mask
  br i1 %has_flags, label %check_rank, label %bad
check_rank:
  %pnd = getelementptr i8, ptr %o, i64 {RANK}
  %nd32 = load i32, ptr %pnd
  %nd = sext i32 %nd32 to i64
  %prank = getelementptr i64, ptr %r, i64 2
  %rank = load i64, ptr %prank
  %same_rank = icmp eq i64 %nd, %rank
  br i1 %same_rank, label %begin, label %bad
begin:
  %pdims = getelementptr i8, ptr %o, i64 {DIMENSIONS}
  %dims = load ptr, ptr %pdims
  %pitem = getelementptr i64, ptr %r, i64 4
  %item = load i64, ptr %pitem
  %first = getelementptr i64, ptr %r, i64 6
  br label %head
head:
  %k = phi i64 [0, %begin], [%k1, %next]
  %n = phi i64 [%item, %begin], [%n1, %next]
  %d = phi ptr [%first, %begin], [%d1, %next]
  %more = icmp slt i64 %k, %nd
  br i1 %more, label %body, label %good
body:
  %pext = getelementptr i64, ptr %dims, i64 %k
  %ext = load i64, ptr %pext
  %x = call i64 @extent(ptr %d, ptr %sizes)
  %mode = load i64, ptr %d
  %binds = icmp ne i64 %mode, 0
  br i1 %binds, label %bind, label %compare
bind:                      ; the size has coefficient 1 and was 0 so far, so that it is what is missing
  %v = sub i64 %ext, %x
  %ps = getelementptr i64, ptr %d, i64 2
  %s = load i64, ptr %ps
  %pv = getelementptr i64, ptr %sizes, i64 %s
  store i64 %v, ptr %pv
  %positive = icmp sge i64 %v, 0
  br i1 %positive, label %next, label %bad
compare:
  %equal = icmp eq i64 %x, %ext
  br i1 %equal, label %next, label %bad
next:
  %n1 = mul i64 %n, %ext
  %k1 = add i64 %k, 1
  %d1 = getelementptr i64, ptr %d, i64 {DIM}
  br label %head
good:
  %pdata = getelementptr i8, ptr %o, i64 {DATA}
  %data = load i64, ptr %pdata
  store i64 %data, ptr %slot
  store i64 %n, ptr %len
  ret i1 true
bad:
  ret i1 false
}}
"""

# Whether an object is a scalar that fits its record; stores its value.
_CHECK_SCALAR = f"""
define internal i1 @check_scalar(ptr %o, ptr %r, i64 %kind, ptr %slot) {{
entry:
  %ptype = getelementptr i8, ptr %o, i64 {TYPE}
  %type = load ptr, ptr %ptype
  %is_int = icmp eq ptr %type, @py_int
  %is_float = icmp eq ptr %type, @py_float
  %is_number = or i1 %is_int, %is_float
  switch i64 %kind, label %bad [i64 1, label %real i64 2, label %real i64 3, label %integer i64 4, label %boolean]
real:
  br i1 %is_number, label %convert, label %bad
convert:
  %x = call double @PyFloat_AsDouble(ptr %o)
  %suspicious = fcmp oeq double %x, -1.0
  br i1 %suspicious, label %check_real, label %store_real
check_real:
  %e1 = call ptr @PyErr_Occurred()
  %fine1 = icmp eq ptr %e1, null
  br i1 %fine1, label %store_real, label %clear
store_real:
  %wide = icmp eq i64 %kind, 1
  br i1 %wide, label %store64, label %store32
store64:
  store double %x, ptr %slot
  ret i1 true
store32:
  %y = fptrunc double %x to float
  store float %y, ptr %slot
  ret i1 true
integer:
  br i1 %is_int, label %as_int, label %bad
as_int:
  %i = call i64 @PyLong_AsLongLong(ptr %o)
  %minus = icmp eq i64 %i, -1
  br i1 %minus, label %check_int, label %range
check_int:
  %e2 = call ptr @PyErr_Occurred()
  %fine2 = icmp eq ptr %e2, null
  br i1 %fine2, label %range, label %clear
range:
  %plow = getelementptr i64, ptr %r, i64 1
  %low = load i64, ptr %plow
  %phigh = getelementptr i64, ptr %r, i64 2
  %high = load i64, ptr %phigh
  %above = icmp sge i64 %i, %low
  %below = icmp sle i64 %i, %high
  %inside = and i1 %above, %below
  store i64 %i, ptr %slot
  ret i1 %inside
boolean:
  %true = icmp eq ptr %o, @py_true
  %false = icmp eq ptr %o, @py_false
  %bool = zext i1 %true to i64
  store i64 %bool, ptr %slot
  %either = or i1 %true, %false
  ret i1 %either
clear:
  call void @PyErr_Clear()
  ret i1 false
bad:
  ret i1 false
}}
"""

# Whether an array that is written shares a byte with another one. A length of 0 overlaps nothing.
_OVERLAPS = f"""
define internal i1 @overlaps(ptr %params, i64 %count, ptr %slots, ptr %lens) {{
entry:
  br label %outer
outer:
  %i = phi i64 [0, %entry], [%i1, %outer_next]
  %i_more = icmp slt i64 %i, %count
  br i1 %i_more, label %written, label %no
written:
  %offset = mul i64 %i, {RECORD}
  %r = getelementptr i64, ptr %params, i64 %offset
  %pkind = load i64, ptr %r
  %is_array = icmp eq i64 %pkind, 0
  %pmask = getelementptr i64, ptr %r, i64 3
  %mask = load i64, ptr %pmask
  %bit = and i64 %mask, {WRITEABLE}
  %has_bit = icmp ne i64 %bit, 0
  %writes = and i1 %is_array, %has_bit
  br i1 %writes, label %load_i, label %outer_next
load_i:
  %pai = getelementptr i64, ptr %slots, i64 %i
  %ai = load i64, ptr %pai
  %pli = getelementptr i64, ptr %lens, i64 %i
  %li = load i64, ptr %pli
  %ei = add i64 %ai, %li
  %full_i = icmp ne i64 %li, 0
  br i1 %full_i, label %inner, label %outer_next
inner:
  %j = phi i64 [0, %load_i], [%j1, %inner]
  %paj = getelementptr i64, ptr %slots, i64 %j
  %aj = load i64, ptr %paj
  %plj = getelementptr i64, ptr %lens, i64 %j
  %lj = load i64, ptr %plj
  %ej = add i64 %aj, %lj
  %differ = icmp ne i64 %i, %j
  %full_j = icmp ne i64 %lj, 0
  %c1 = icmp ult i64 %ai, %ej
  %c2 = icmp ult i64 %aj, %ei
  %b1 = and i1 %differ, %full_j
  %b2 = and i1 %c1, %c2
  %hit = and i1 %b1, %b2
  %j1 = add i64 %j, 1
  %j_more = icmp slt i64 %j1, %count
  %not_hit = xor i1 %hit, true
  %go_on = and i1 %j_more, %not_hit
  br i1 %go_on, label %inner, label %inner_end
inner_end:
  br i1 %hit, label %yes, label %outer_next
outer_next:
  %i1 = add i64 %i, 1
  br label %outer
yes:
  ret i1 true
no:
  ret i1 false
}}
"""

# A fresh output; null with an exception set, or -1 where a dimension would be negative.
_ALLOCATE = f"""
define internal ptr @allocate(ptr %h, ptr %r, ptr %sizes) {{
entry:
  %va = alloca [2 x ptr]
  %pdtype = getelementptr i64, ptr %r, i64 1
  %dtype = load ptr, ptr %pdtype
  %prank = getelementptr i64, ptr %r, i64 2
  %rank = load i64, ptr %prank
  %pitem = getelementptr i64, ptr %r, i64 4
  %item = load i64, ptr %pitem
  %pshape = getelementptr i64, ptr %r, i64 5
  %const = load ptr, ptr %pshape
  %first = getelementptr i64, ptr %r, i64 6
  %is_const = icmp ne ptr %const, null
  br i1 %is_const, label %head, label %build
build:
  %fresh = call ptr @PyTuple_New(i64 %rank)
  %failed = icmp eq ptr %fresh, null
  br i1 %failed, label %null, label %head
head:
  %shape = phi ptr [%const, %entry], [%fresh, %build], [%shape, %next]
  %k = phi i64 [0, %entry], [0, %build], [%k1, %next]
  %n = phi i64 [%item, %entry], [%item, %build], [%n1, %next]
  %d = phi ptr [%first, %entry], [%first, %build], [%d1, %next]
  %more = icmp slt i64 %k, %rank
  br i1 %more, label %body, label %call
body:
  %x = call i64 @extent(ptr %d, ptr %sizes)
  %n1 = mul i64 %n, %x
  %k1 = add i64 %k, 1
  %d1 = getelementptr i64, ptr %d, i64 {DIM}
  br i1 %is_const, label %next, label %item_of_shape
item_of_shape:
  %negative = icmp slt i64 %x, 0
  br i1 %negative, label %minus, label %number
number:
  %int = call ptr @PyLong_FromLongLong(i64 %x)
  %no_int = icmp eq ptr %int, null
  br i1 %no_int, label %drop, label %set
set:
  %rc = call i32 @PyTuple_SetItem(ptr %shape, i64 %k, ptr %int)
  br label %next
next:
  br label %head
call:
  store ptr %shape, ptr %va
  %pva1 = getelementptr ptr, ptr %va, i64 1
  store ptr %dtype, ptr %pva1
  %large = icmp sge i64 %n, LARGE_BYTES
  %slot = select i1 %large, i64 8, i64 7
  %pallocator = getelementptr i64, ptr %h, i64 %slot
  %allocator = load ptr, ptr %pallocator
  %array = call ptr @PyObject_Vectorcall(ptr %allocator, ptr %va, i64 2, ptr null)
  br i1 %is_const, label %done, label %release
release:
  call void @Py_DecRef(ptr %shape)
  br label %done
done:
  ret ptr %array
drop:
  call void @Py_DecRef(ptr %shape)
  ret ptr null
minus:
  call void @Py_DecRef(ptr %shape)
  ret ptr inttoptr (i64 -1 to ptr)
null:
  ret ptr null
}}

define internal void @release(ptr %objs, i64 %count) {{
entry:
  br label %head
head:
  %k = phi i64 [0, %entry], [%k1, %body]
  %more = icmp slt i64 %k, %count
  br i1 %more, label %body, label %done
body:
  %p = getelementptr ptr, ptr %objs, i64 %k
  %o = load ptr, ptr %p
  call void @Py_DecRef(ptr %o)
  %k1 = add i64 %k, 1
  br label %head
done:
  ret void
}}
"""

_ENTRY = f"""
define ptr @{SYMBOL}(ptr %self, ptr %args, i64 %nargs, ptr %kwnames) {{
entry:
  %slots = alloca [{MAX_PARAMS + MAX_SIZES} x i64], align 16
  %lens = alloca [{MAX_PARAMS} x i64], align 16
  %sizes = alloca [{MAX_SIZES} x i64], align 16
  %objs = alloca [{MAX_PARAMS} x ptr], align 16
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
  br i1 %has_hook, label %run_hook, label %run
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
  br i1 %ok, label %result, label %no_memory

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

no_memory:
  %h10 = getelementptr i64, ptr %h, i64 10
  %message = load ptr, ptr %h10
  call void @PyErr_SetString(ptr @py_memory_error, ptr %message)
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
    allocate = _ALLOCATE.replace("LARGE_BYTES", str(large_bytes))
    return objects + _DECLARATIONS + _EXTENT + _CHECK_ARRAY + _CHECK_SCALAR + _OVERLAPS + allocate + _ENTRY
