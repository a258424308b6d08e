#!/usr/bin/env python3
"""Writes tests/hostile/safetensors/: malformed files, and expect.json with what a strict reader says.

Files 01 to 76 break a rule of the format, or are legal and hostile (then the policy of
docs/model-format.md holds); the ones from 77 on break limits of our own. Each is tiny; files that
attack by their size are built by the test itself. Usage: make_hostile_files.py [--check] [DIRECTORY]
"""
import json
import pathlib
import struct
import sys

OPEN, READ, ACCEPT = "refused at open", "refused at read", "accepted"
F32 = struct.pack("<4f", 1, 2, 3, 4)  # the data of a [2, 2] tensor


def file(header, data=b"", length=None, pad=True):
    """A file with this header: text or bytes, padded to 8 unless told otherwise."""
    if isinstance(header, str):
        header = header.encode()
    if pad:
        header += b" " * (-len(header) % 8)
    return struct.pack("<Q", len(header) if length is None else length) + header + data


def record(dtype='"F32"', shape="[2,2]", offsets="[0,16]"):
    return f'{{"dtype":{dtype},"shape":{shape},"data_offsets":{offsets}}}'


def one(dtype='"F32"', shape="[2,2]", offsets="[0,16]", data=F32, name='"w"'):
    return file(f"{{{name}:{record(dtype, shape, offsets)}}}", data)


def two(first, second, data=F32 + F32, names=('"v"', '"w"')):
    return file(
        f"{{{names[0]}:{record(offsets=first)},{names[1]}:{record(offsets=second)}}}", data)


def meta(value, data=F32):
    return file(f'{{"__metadata__":{value},"w":{record()}}}', data)


GOOD = f'{{"w":{record()}}}'
NAN = struct.pack("<4f", 1, float("nan"), 3, 4)

FILES = [
    # length
    ("01_empty", b"", OPEN, "at least 8 bytes, found 0"),
    ("02_seven_bytes", b"\x10" + b"\0" * 6, OPEN, "at least 8 bytes, found 7"),
    ("03_length_zero", file("") + F32, OPEN, "expected '{', found an empty header"),
    ("04_length_over_file", file(GOOD, F32, length=10_000), OPEN, "found a length of 10000"),
    ("05_length_over_limit", file(GOOD, F32, length=100_000_001), OPEN, "at most 100000000 bytes"),
    ("06_length_2_64_minus_1", file(GOOD, F32, length=2**64 - 1), OPEN,
     "found a length of 18446744073709551615"),
    ("07_length_2_63", file(GOOD, F32, length=2**63), OPEN, "found a length of 9223372036854775808"),
    ("08_length_big_endian", struct.pack(">Q", 64) + file(GOOD, F32)[8:], OPEN, "byte 0: expected"),
    # text
    ("09_bad_utf8", file(b'{"\xff":' + record().encode() + b"}", F32), OPEN, "UTF-8"),
    ("10_utf16", file(GOOD.encode("utf-16-le"), F32), OPEN, "NUL"),
    ("11_byte_order_mark", file(b"\xef\xbb\xbf" + GOOD.encode(), F32), OPEN, "expected '{'"),
    ("12_not_json", file("{hello world}", F32), OPEN, "column 2"),
    ("13_top_array", file("[" + GOOD + "]", F32), OPEN, "expected '{', found '['"),
    ("14_top_null", file("null", F32), OPEN, "expected '{', found 'n'"),
    ("15_truncated", file(GOOD[:-20], F32), OPEN, "syntax error"),
    ("16_garbage_after", file(GOOD + "x", F32), OPEN, "expected end of input"),
    ("17_two_documents", file(GOOD + GOOD, F32), OPEN, "expected end of input"),
    ("18_leading_space", file(" " + GOOD, F32), OPEN, "expected '{', found ' '"),
    ("19_tab_padding", file(GOOD + "\t\n", F32), OPEN, "only spaces after the closing brace"),
    ("20_nul_padding", file(GOOD.encode() + b"\0\0", F32), OPEN, "NUL"),
    # keys
    ("21_duplicate_tensor", two("[0,16]", "[0,16]", F32, ('"w"', '"w"')), OPEN, "w: expected each key once"),
    ("22_duplicate_other_shape", file(
        f'{{"w":{record()},"w":{record(shape="[4]")}}}', F32), OPEN, "w: expected each key once"),
    ("23_duplicate_by_escape", two("[0,16]", "[0,16]", F32, ('"w"', '"\\u0077"')), OPEN,
     "w: expected each key once"),
    ("24_metadata_twice", file(f'{{"__metadata__":{{}},"__metadata__":{{}},"w":{record()}}}', F32), OPEN,
     "__metadata__: expected each key once"),
    ("25_duplicate_in_metadata", meta('{"a":"1","a":"2"}'), OPEN, "__metadata__.a: expected each key once"),
    ("26_dtype_twice", file(
        '{"w":{"dtype":"F32","dtype":"F32","shape":[2,2],"data_offsets":[0,16]}}', F32), OPEN,
     "w.dtype: expected each key once"),
    ("27_extra_field", file(
        '{"w":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16],"x":1}}', F32), OPEN, "another field"),
    ("28_no_dtype", file('{"w":{"shape":[2,2],"data_offsets":[0,16]}}', F32), OPEN, "some missing"),
    ("29_no_shape", file('{"w":{"dtype":"F32","data_offsets":[0,16]}}', F32), OPEN, "some missing"),
    ("30_no_offsets", file('{"w":{"dtype":"F32","shape":[2,2]}}', F32), OPEN, "some missing"),
    # types
    ("31_dtype_unknown", one(dtype='"F7"'), OPEN, 'w.dtype: expected a known dtype'),
    ("32_dtype_lower_case", one(dtype='"f32"'), OPEN, 'found "f32"'),
    ("33_dtype_number", one(dtype="5"), OPEN, "found 5"),
    ("34_negative_dimension", one(shape="[-2,-2]"), OPEN, "w.shape[0]: expected a whole number"),
    ("35_real_dimension", one(shape="[2.0,2]"), OPEN, "found 2.0"),
    ("36_text_dimension", one(shape='["2",2]'), OPEN, 'found "2"'),
    ("37_dimension_2_64", one(shape="[18446744073709551616]"), OPEN, "found 18446744073709551616"),
    # arithmetic
    ("38_product_wraps", one(shape=f"[{2**32},{2**32}]", offsets="[0,0]", data=b""), OPEN, "below 2^64"),
    ("39_bytes_wrap", one(shape=f"[{2**62}]", offsets="[0,0]", data=b""), OPEN, "below 2^61"),
    ("40_overflow_times_zero", one(shape=f"[{2**40},{2**40},0]", offsets="[0,0]", data=b""), OPEN,
     "below 2^64"),
    ("41_huge_but_empty", one(shape=f"[{2**50},0]", offsets="[0,0]", data=b""), ACCEPT, ""),
    # offsets
    ("42_three_offsets", one(offsets="[0,16,16]"), OPEN, "expected 2 offsets, found more"),
    ("43_one_offset", one(offsets="[16]"), OPEN, "expected 2 offsets, found 1"),
    ("44_end_before_begin", one(offsets="[16,0]"), OPEN, "that ascend, found [16, 0]"),
    ("45_negative_offset", one(offsets="[-16,0]"), OPEN, "found -16"),
    ("46_past_the_end", one(shape="[4,4]", offsets="[0,64]"), OPEN, "found its end at 64"),
    ("47_tail_after_data", one(data=F32 + b"PK\x03\x04"), OPEN, "found 4 more bytes"),
    ("48_hole_at_start", one(offsets="[16,32]", data=F32 + F32), OPEN, "there is a hole"),
    ("49_hole_between", two("[0,16]", "[32,48]", F32 * 3), OPEN, "where 'v' ends, found 32: there is a hole"),
    ("50_overlap", two("[0,16]", "[8,24]", F32 + F32[:8]), OPEN, "there is an overlap"),
    ("51_alias", two("[0,16]", "[0,16]", F32), OPEN, "there is an overlap"),
    ("52_size_not_shape", one(shape="[2,3]"), OPEN, "expected 24 bytes for shape [2, 3] of F32, found 16"),
    ("53_f4_times_3", one(dtype='"F4"', shape="[3]", offsets="[0,2]", data=b"\0\0"), OPEN, "whole number of bytes"),
    # metadata
    ("54_metadata_number", meta('{"a":1}'), OPEN, "__metadata__.a: expected a string"),
    ("55_metadata_nested", meta('{"a":{}}'), OPEN, "expected a string"),
    ("56_metadata_array", meta("[]"), OPEN, "expected an object of strings"),
    ("57_metadata_is_tensor", file(f'{{"__metadata__":{record()}}}', F32), OPEN, "expected a string"),
    ("58_metadata_null", meta("null"), OPEN, "expected an object of strings"),
    # depth, names, numbers
    ("59_deep_arrays", file("[" * 100_000, F32), OPEN, "expected '{'"),
    ("60_deep_unknown_field", file('{"w":{"x":' + "[" * 5_000 + "]" * 5_000 + "}}", F32), OPEN, "another field"),
    ("61_rank_10000", one(shape="[" + "1," * 9_999 + "4]"), OPEN, "at most 8 dimensions"),
    ("62_empty_name", one(name='""'), OPEN, "found an empty one"),
    ("63_nul_in_name", one(name='"w\\u0000x"'), OPEN, "control character"),
    ("64_path_as_name", one(name='"../../etc/x"'), ACCEPT, ""),
    ("65_lone_surrogate", one(name='"\\ud800"'), OPEN, "surrogate"),
    ("66_unaligned_header", file(GOOD + " " * ((3 - len(GOOD)) % 8), F32, pad=False), ACCEPT, ""),
    ("67_unaligned_tensor", file(
        '{"b":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},'
        f'"w":{record(offsets="[1,17]")}}}', b"\7" + F32), ACCEPT, ""),
    ("68_exponent_offset", one(offsets="[0,1.6e1]"), OPEN, "found 16.0"),
    ("69_leading_zero", one(offsets="[0,016]"), OPEN, "syntax error"),
    ("70_minus_zero", one(offsets="[-0,16]"), OPEN, "w.data_offsets[0]: expected a whole number"),
    ("71_nan_literal", one(shape="[NaN,2]"), OPEN, "syntax error"),
    ("72_comment", file("{/* hi */'w':" + record() + "}", F32), OPEN, "syntax error"),
    # legal, but no weights
    ("73_bool_2", one(dtype='"BOOL"', shape="[2]", offsets="[0,2]", data=b"\1\2"), READ,
     "tensor 'w': expected 0 or 1, found 2 at element 1"),
    ("74_nan_value", one(data=NAN), READ, "tensor 'w': expected finite numbers of float32's range, found nan at element 1"),
    ("75_no_tensors", file("{}"), OPEN, "found no tensors"),
    ("76_no_tensors_but_data", file("{}", F32), OPEN, "found 16 more bytes"),
    # limits and traps of our own
    ("77_long_name", one(name='"' + "n" * 513 + '"'), OPEN, "one of 513 bytes"),
    ("78_longest_name", one(name='"' + "n" * 512 + '"'), ACCEPT, ""),
    ("79_c1_control_in_name", one(name='"w\\u0085"'), OPEN, "control character"),
    ("80_rank_9", one(shape="[2,2,1,1,1,1,1,1,1]"), OPEN, "at most 8 dimensions"),
    ("81_scalar", one(shape="[]", offsets="[0,4]", data=F32[:4]), ACCEPT, ""),
    ("82_empty_inside_another", file(
        f'{{"e":{record(shape="[0]", offsets="[8,8]")},"w":{record()}}}', F32), OPEN, "there is an overlap"),
    ("83_dimension_2_63", one(shape=f"[{2**63},0]", offsets="[0,0]", data=b""), OPEN, "below 2^63"),
    ("84_shape_is_number", one(shape="4"), OPEN, "w.shape: expected an array of whole numbers"),
    ("85_shape_nested", one(shape="[[2,2]]"), OPEN, "expected an array of whole numbers"),
    ("86_record_is_text", file('{"w":"F32"}', F32), OPEN, "expected an object that describes a tensor"),
    ("87_record_is_array", file('{"w":[]}', F32), OPEN, "expected an object that describes a tensor"),
    ("88_overlong_utf8", file(b'{"\xc1\xb7":' + record().encode() + b"}", F32), OPEN, "UTF-8"),
    ("89_infinite_value", one(data=struct.pack("<4f", 1, 2, 3, float("-inf"))), READ, "found -inf at element 3"),
    ("90_f64_out_of_range", one(dtype='"F64"', shape="[2]", data=struct.pack("<2d", 1, 1e300)), READ,
     "found inf at element 1"),
    ("91_f16_infinite", one(dtype='"F16"', shape="[8]", data=b"\0\0" * 7 + b"\0\x7c"), READ,
     "found inf at element 7"),
]


def main():
    args = [a for a in sys.argv[1:] if a != "--check"]
    root = pathlib.Path(__file__).resolve().parent.parent / "tests/hostile/safetensors"
    directory = pathlib.Path(args[0]) if args else root
    wanted = {f"{name}.safetensors": data for name, data, _, _ in FILES}
    expect = {f"{name}.safetensors": {"result": result, "message": message} for name, _, result, message in FILES}
    wanted["expect.json"] = (json.dumps(expect, indent=1) + "\n").encode()
    if "--check" in sys.argv:
        found = {p.name: p.read_bytes() for p in directory.iterdir()}
        sys.exit(0 if found == wanted else f"{directory}: differs from what {sys.argv[0]} writes")
    directory.mkdir(parents=True, exist_ok=True)
    for old in directory.iterdir():
        if old.name not in wanted:
            old.unlink()
    for name, data in wanted.items():
        (directory / name).write_bytes(data)


if __name__ == "__main__":
    main()
