"""Values that programs stumble over: YAML in flow style, and bytes."""

LAUGHS = (
    "{a: &a [x,x,x,x,x,x,x,x,x]"
    + "".join(
        f", {new}: &{new} [{', '.join([f'*{old}'] * 9)}]"
        for old, new in zip("abcdefgh", "bcdefghi", strict=True)
    )
    + "}"
)
SNIPPETS = (
    "2001-01-01", "2001-12-14t21:59:43.10-05:00", "0001-01-01T00:00:00+23:59", "9999-99-99",
    "{? [1, 2] : x}", "{? {a: 1} : x}", "{[1, 2]: x}", "{2001-01-01: x}", "{null: x}", "{1.5: x}",
    "{true: x}", "{1: x, '1': y}", "{a: 1, a: 2}", "!!set {a, b}", "!!binary aGVsbG8=",
    "!!binary '@@'", "!!omap [a: 1]", "!!pairs [a: 1]", "!!python/object:os.system x", "!!int x",
    "!!float x", "!!bool x", "!!null x", "!!str 1", "!!timestamp x", "!!map [a]", "!!seq {a: 1}",
    "!own x", "&a [*a]", "&a {b: *a}", "&a {*a : x}", "*nothing", "{<<: {epochs: 3}}", "{<<: 5}",
    "{<<: [1]}", "&a {<<: *a}", LAUGHS, "[" * 2_000 + "]" * 2_000, "[" * 2_000,
    "{a: " * 2_000 + "}" * 2_000, "9" * 5_000, "-" + "9" * 4_000, "0." + "9" * 5_000,
    "1e999", "-1e999", "1e-999", ".nan", ".inf", "-.inf", "-0", "-0.0", "0x" + "f" * 5_000,
    "0o777", "1_000", "1:30", "10000000000000", "1" + "0" * 30, "true", "yes", "null", "~", "''",
    '"\\0"', '"\\ud800"', '"\\udc00\\ud800"', '"\\e[2J"', '"a\\nb"', '"\\u202e"', '"\\U0010ffff"',
    "'" + "x" * 100_000 + "'", "[" + "1, " * 20_000 + "]",
    "{" + ", ".join(f"k{n}: 1" for n in range(5_000)) + "}",
    "[3, 8, 3]", "['3', 8]", "[true, false]", "/dev/zero", "/dev/stdin", "/", ".", "..", "''",
    "$(touch canary)", "`touch canary`", "'; touch canary'", "'{{7*7}}'",
    "'<script>alert(1)</script>'",
    "{depth: 1000000000000, width: 1}", "{depth: 1000, width: 1000000000000}",
    "{depth: -1, width: true}",
    "[1000000000000]", "{leaky_relu: {negative_slope: 1e400}}", "{name: relu, name: elu}",
    "{name: [x]}",
    "models:/x@y", "tcp://127.0.0.1:99999999", "\t", "%", "@", "`", "|", ">", "? :", "- -", "# x",
    ": ", "}",
)  # fmt: skip
"""One value of YAML each, or what looks like one."""

BYTES = (
    b"\0", b"\0" * 100, b"\xff\xfe", b"\xef\xbb\xbf", b"\xfe\xff", b"\x1f\x8b", b"PK\x03\x04",
    b"\x93NUMPY", b"PAR1", b"ARROW1", b"\n" * 200, b"\r", b"\t", b'"', b"'", b",", b";" * 50,
    b"\x1b[2J\x1b]0;x\x07",
    b"\x80\x81", b"\xed\xa0\x80", b"\xc0\x80", "\u202e\u2028\ufeff".encode(), b"%PDF", b"9" * 400,
    b"-", b"1e999",
    b"nan", b"inf", b"NULL", b"<b>&amp;", b"\\", b"$(x)", b"{", b"[" * 300, b"&a [*a]", b"!!set",
    b"---\n", b"...\n",
    b"@data\n", b"@attribute a relational\n", b"{0 1}", b"x" * 200_000, b"," * 20_000,
    b"x,\n" * 20_000,
)  # fmt: skip
"""What is put into a file as it is."""
