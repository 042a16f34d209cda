/** Header compression: the examples of RFC 7541, appendix C, and what must never get through. */
import fc from "fast-check";
import t from "tap";
import { ConnectionError } from "../../../src/drivers/grpc/http2/frames.js";
import { type Header, HpackDecoder } from "../../../src/drivers/grpc/http2/hpack-decoder.js";
import { encodeHeaders } from "../../../src/drivers/grpc/http2/hpack-encoder.js";

const MAX_LIST = 1 << 20;
const hex = (text: string): Buffer => Buffer.from(text.replace(/\s/g, ""), "hex");

/** Decodes each block in turn with one decoder. */
function decodeAll(blocks: readonly string[], tableBytes = 4096): (readonly Header[])[] {
  const decoder = new HpackDecoder(tableBytes, MAX_LIST);
  return blocks.map((block) => decoder.decode(hex(block)).headers);
}

const REQUESTS: Header[][] = [
  [
    [":method", "GET"],
    [":scheme", "http"],
    [":path", "/"],
    [":authority", "www.example.com"],
  ],
  [
    [":method", "GET"],
    [":scheme", "http"],
    [":path", "/"],
    [":authority", "www.example.com"],
    ["cache-control", "no-cache"],
  ],
  [
    [":method", "GET"],
    [":scheme", "https"],
    [":path", "/index.html"],
    [":authority", "www.example.com"],
    ["custom-key", "custom-value"],
  ],
];
const DATE = "Mon, 21 Oct 2013 20:13:21 GMT";
const RESPONSES: Header[][] = [
  [
    [":status", "302"],
    ["cache-control", "private"],
    ["date", DATE],
    ["location", "https://www.example.com"],
  ],
  [
    [":status", "307"],
    ["cache-control", "private"],
    ["date", DATE],
    ["location", "https://www.example.com"],
  ],
  [
    [":status", "200"],
    ["cache-control", "private"],
    ["date", "Mon, 21 Oct 2013 20:13:22 GMT"],
    ["location", "https://www.example.com"],
    ["content-encoding", "gzip"],
    ["set-cookie", "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1"],
  ],
];

t.test("C.2: single fields", async (t) => {
  t.same(decodeAll(["400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572"]), [
    [["custom-key", "custom-header"]],
  ]);
  t.same(decodeAll(["040c 2f73 616d 706c 652f 7061 7468"]), [[[":path", "/sample/path"]]]);
  t.same(decodeAll(["1008 7061 7373 776f 7264 0673 6563 7265 74"]), [[["password", "secret"]]]);
  t.same(decodeAll(["82"]), [[[":method", "GET"]]]);
});

t.test("C.3 and C.4: requests, plain and Huffman", async (t) => {
  const plain = [
    "8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
    "8286 84be 5808 6e6f 2d63 6163 6865",
    "8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65",
  ];
  const huffman = [
    "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff",
    "8286 84be 5886 a8eb 1064 9cbf",
    "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf",
  ];
  t.same(decodeAll(plain), REQUESTS);
  t.same(decodeAll(huffman), REQUESTS);
});

t.test("C.5 and C.6: responses, with entries that are evicted", async (t) => {
  const plain = [
    "4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
    "4803 3330 37c1 c0bf",
    "88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04 677a 6970 7738 666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49 553b 206d 6178 2d61 6765 3d33 3630 303b 2076 6572 7369 6f6e 3d31",
  ];
  const huffman = [
    "4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3",
    "4883 640e ffc1 c0bf",
    "88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07",
  ];
  t.same(decodeAll(plain, 256), RESPONSES);
  t.same(decodeAll(huffman, 256), RESPONSES);
});

t.test("what is encoded decodes to the same, and again with the same decoder", async () => {
  const decoder = new HpackDecoder(4096, MAX_LIST);
  const text = fc.string({ unit: "grapheme-ascii", maxLength: 300 });
  fc.assert(
    fc.property(fc.array(fc.tuple(text, text), { maxLength: 10 }), (headers) => {
      const block = encodeHeaders(headers);
      const same = (): boolean => JSON.stringify(decoder.decode(block).headers) === JSON.stringify(headers);
      return same() && same();
    }),
  );
});

t.test("a block that was seen means what the table says now", async (t) => {
  const decoder = new HpackDecoder(4096, MAX_LIST);
  const add = (value: string): void => {
    decoder.decode(Buffer.concat([hex("400161"), Buffer.from([value.length]), Buffer.from(value)]));
  };
  add("one");
  t.same(decoder.decode(hex("be")).headers, [["a", "one"]]);
  t.same(decoder.decode(hex("be")).headers, [["a", "one"]]);
  add("two");
  t.same(decoder.decode(hex("be")).headers, [["a", "two"]], "the newest entry");
  decoder.decode(hex("20"));
  t.throws(() => decoder.decode(hex("be")), ConnectionError, "a table of no size has no entries");
});

t.test("any bytes are headers or an error of the connection", async () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 80 }), { minLength: 1, maxLength: 4 }), (blocks) => {
      const decoder = new HpackDecoder(4096, 1000);
      try {
        for (const block of blocks) decoder.decode(Buffer.from(block));
        return true;
      } catch (error) {
        return error instanceof ConnectionError;
      }
    }),
    { numRuns: 2000 },
  );
});

t.test("limits", async (t) => {
  const broken: [string, string][] = [
    ["80", "entry 0"],
    ["ff ffffff ffff 0f", "an integer too large"],
    ["3fe21f", "a table larger than allowed"],
    ["8220", "a change of the table in the middle"],
    ["400a 6375", "a string that is cut off"],
    ["0081 ff", "Huffman padding of a byte"],
    ["0084 ffff fffc 0161", "the end of a string in a string"],
    ["0081 1800", "padding that is not all ones"],
  ];
  for (const [block, what] of broken)
    t.throws(() => new HpackDecoder(4096, MAX_LIST).decode(hex(block)), ConnectionError, what);
  const decoder = new HpackDecoder(4096, 1000);
  decoder.decode(Buffer.concat([hex("400161 7f8106"), Buffer.alloc(896, 0x62)]));
  const bomb = decoder.decode(Buffer.alloc(10_000, 0xbe));
  t.equal(bomb.isTooLarge, true);
  t.ok(bomb.headers.length <= 1, "what is beyond the limit is not kept");
});
