"""What is not JSON is answered with 400, whatever it is and wherever in a body it stands.

Each text is sent as a body, as a column's value, and as a value that is stepped over. Where such a
text could be read in several ways, another reader in front of the daemon may have read it
otherwise.
"""

import http.client

import pytest

NUMBERS = """
    - + -- +1 -01 -00 00 01 007 1. -1. .1 -.1 0.e1 1.e1 1e 1e+ 1E- 1e1.5 1.2.3 1eE2 1e+-2 0x10 0X1
    0b1 1_000 1,000.5.0 1f 1d 1L 0e 0e+ -e1 e1 1a -Infinity Infinity +Infinity NaN -NaN nan inf -inf
    1/2 1+1 ++1234 -1x .e1 -.e1 1.0e 2.e3 2.e-3 9.e+ 0.3e 0.3e+ 0E 0E+ 1ee2 -2. 0.1.2 \uff11 \u0661
""".split()
LITERALS = """
    True TRUE tru truee FALSE False fals Null NULL nul nulll none None undefined void yes no on off
    t f n true1 nulltrue a abc $ _ ` ~ @ # & * ( ) < > = ; : / // /**/ \\ | ' '' 'a' `a`
""".split()
STRINGS = [
    '"', '"a', 'a"', '"a""', '"a"b', '"\\"', '"\\', '"\\u"', '"\\u1"', '"\\u12"', '"\\u123"',
    '"\\u123g"', '"\\uD800"', '"\\uDC00"', '"\\uD800\\uD800"', '"\\uD800\\n"', '"\\uD800\\u"',
    '"\\uD800\\uDC0"', '"\\uDFAA"', '"\\uD888\\u1234"', '"\\ud800abc"', '"\\uDd1e\\uD834"', '"\\a"',
    '"\\x41"', '"\\0"', '"\\1"', '"\\\'"', '"\\ "', '"\\U0041"', '"\\v"', '"\\e"', '"\\\t"',
    '"\\\n"', '"\\é"', '"a\nb"', '"a\tb"', '"a\rb"', '"a\0b"', '"\x01"', '"\x1f"', '"\x08"',
    '"\x0c"', "'single'", '“a”', '«a»', '"\\u 041"', '"\\u00é1"', '"\\{"', '"\\,"', '"\\u+041"',
    '"\\u-041"', '"\\u0x41"', '"abc',
]
BYTES = [
    b'"\xff"', b'"\xfe"', b'"\x80"', b'"\xbf"', b'"\xc0\xaf"', b'"\xc1\xbf"', b'"\xe0\x80\xaf"',
    b'"\xe0\xff"', b'"\xed\xa0\x80"', b'"\xed\xbf\xbf"', b'"\xf0\x80\x80\xaf"',
    b'"\xf4\x90\x80\x80"', b'"\xf5\x80\x80\x80"', b'"\xf8\x88\x80\x80\x80"',
    b'"\xfc\x83\xbf\xbf\xbf\xbf"', b'"\xc3"', b'"\xc3\x28"', b'"\xe2\x82"', b'"\xe2\x28\xa1"',
    b'"\xf0\x9f\x98"', b'"\xf0\x28\x8c\xbc"', b'"\\\xe5"', b'"\\u\xe5"', b'\xef\xbb\xbf1',
    b'\xff\xfe1\0', b'\xfe\xff\x001', b'1\0', b'\0', b'\x0b1', b'\x0c1', b'\xa01', b'\xc2\xa01',
    b'\xe2\x80\xa81', b'\xe3\x80\x801', b'\x7f', b'\x1a', b'\xe9', b'[\xff]', b'{"\xff":1}',
    b'\xffnull',
]
SHAPES = [
    "[", "]", "{", "}", "[1", "1]", "[1,", "[,", "[,1]", "[1,]", "[1,,2]", "[1 2]", "[1:2]",
    "[1;2]", "[1,2}", "[}", "[1]]", "[[]", "[]]", "[[[[", "[1,2", '["a"', '["a",', '["a" "b"]',
    '["a":1]', "[1}", "[a]", "[*]", "[-]", "[--1]", "[true,]", "[nul]", "[1,\n1\n,",
    "[\"a\",\n4\n,1,", "{]", "{,}", '{"a"}', '{"a":}', '{"a":1', '{"a":1,', '{"a":1,}',
    '{"a":1,,"b":2}', '{"a" 1}', '{"a":1 "b":2}', '{"a":1;"b":2}', '{"a"::1}', '{"a":1:2}', '{:1}',
    '{1:1}', '{true:1}', '{null:null}', "{a:1}", "{'a':1}", "{'a':'b'}", '{"a":\'b\'}', '{"a":1}}',
    '{"a":[1}', '{"a":{"b":1}', '{"a"=1}', '{"a"=>1}', '{"a",1}', '{"a":"b"/**/}', '{"a":1}//',
    '{"a":1}#', '{"a":1 /*x*/}', "/*x*/{}", "//x\n{}", "{} {}", "{}{}", "{}[]", "[] []", "1 2",
    '"a" "b"', "1,", "true false", "null,", '{"a":1} x', "[1] ,", "<a/>", "a=1", "a: 1", "- 1",
    "%7B%7D", "[1,2]3", '{"a":[}', '["\\"]', "[\"", "[{]", '[{"a":1]', "{[]}", '{{"a":1}}',
    '{"a":1,"b"}', '{"a":1,"b":}', '{"a":1,2}', '{"\\uD800":1}', '{"\\x":1}', '{"a\nb":1}', '{"a',
    '{"a":"', "[1e]", "[01]", "[1.]",
]
TEXTS = [text.encode() for text in (*NUMBERS, *LITERALS, *STRINGS, *SHAPES)] + BYTES

# Where a text is sent.
PLACES = {
    "a body": b"%s",
    "a column's value": b'{"project":"p","features":{"x":%s}}',
    "a value that is stepped over": b'{"features":{"x":%s},"project":"p"}',
    "a row": b'{"project":"p","columns":["x"],"rows":[[%s]]}',
}

@pytest.fixture(scope="module")
def served(catalog, cli, daemon_factory, tmp_path_factory):
    """With a live model, so that rows are decoded where they stand."""
    catalog.sql("CREATE TABLE public.t AS SELECT i AS id, i % 7 AS x, i % 7 * 2.5 AS y"
                " FROM generate_series(1, 200) AS i")
    path = tmp_path_factory.mktemp("fail") / "p.json"
    path.write_text('{"project": "p", "relation": "public.t", "target": "y", "key": ["id"],'
                    ' "search": {"strategy": "none"}, "hyperparams": {"n_estimators": 3}}')
    cli.ok("apply", path)
    cli.ok("train", "p", "--here")
    daemon = daemon_factory("--role", "server")
    daemon.wait_live("p")
    return daemon


@pytest.mark.parametrize("place", PLACES)
def test_all_are_400(served, place):
    connection = http.client.HTTPConnection(served.host, served.port, timeout=30)
    wrong = []
    for text in TEXTS:
        body = PLACES[place].replace(b"%s", text)
        connection.request("POST", "/predict", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        said = answer.read()
        if answer.status != 400:
            wrong.append((text, answer.status, said))
        elif place != "a body":  # as one, it may first be found to be no object, or another one
            assert b"is not JSON" in said, (text, said)
    assert wrong == []
    assert len(TEXTS) > 300
    connection.close()


def test_the_places_themselves_are_sound(served):
    """What is refused above is refused for the text's sake."""
    for place, body in PLACES.items():
        sound = b'{"project":"p","features":{}}' if place == "a body" else b"1"
        answer = served.session.post(served.url + "/predict", data=body.replace(b"%s", sound))
        assert answer.status_code == 200, (place, answer.text)
