"""LLVM IR of the parts of the native entry: checks of one argument, overlap, allocation of an output.

The table that they read has 8-byte slots (`entry.py` writes it):

    header   0 packed function, 1 careful callable, 2 arguments, 3 outputs, 4 sizes, 5 type ndarray, 6 str "out",
             7 allocator, 8 allocator of large arrays, 9 whether an argument is written, 10 what raises a status,
             11 callable that sets the number of threads, or 0; what does the same where nothing is overridden:
             12 context variable of overrides, 13 address of the count or of 0, 14 key for pthread_setspecific
    params   RECORD slots each, arguments then outputs:
             0 kind: 0 array, 1 float64, 2 float32, 3 integer, 4 bool
             1 dtype object | smallest integer, 2 rank | largest integer, 3 flags that the array must have,
             4 bytes of an element, 5 shape tuple or 0, then DIM slots per dimension:
             0 whether it binds a size, 1 const, 2 size, 3 coefficient, 4 second size, 5 its coefficient

A dimension is ``const + coefficient * size + coefficient2 * size2``. Only exact ndarrays are read, through the
fields that NumPy's C macros read (`entry.py` probes their offsets).
"""

from __future__ import annotations

HEADER = 15
MAX_RANK = 8
DIM = 6
RECORD = 6 + DIM * MAX_RANK
MAX_PARAMS = 256
MAX_SIZES = 16
# Offsets in an ndarray object: type, data, rank, dimensions, dtype, flags.
TYPE, DATA, RANK, DIMENSIONS, DTYPE, FLAGS = 8, 16, 24, 32, 56, 64
C_CONTIGUOUS, ALIGNED, WRITEABLE = 0x1, 0x100, 0x400

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


def parts(large_bytes: int) -> str:
    """The functions; outputs of `large_bytes` and more come from the allocator of large arrays."""
    return _EXTENT + _CHECK_ARRAY + _CHECK_SCALAR + _OVERLAPS + _ALLOCATE.replace("LARGE_BYTES", str(large_bytes))
