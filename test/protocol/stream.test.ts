import t from "tap";
import { ERROR_CODES, type ErrorCode, HeadraceError, InvalidArgumentError } from "../../src/errors.js";
import {
  closeFrameOf,
  codeOfStatus,
  decodeStreamError,
  encodeRestError,
  encodeStreamError,
  encodeV2Error,
  errorOfClose,
  errorOfResponse,
} from "../../src/protocol/index.js";
import { decodeStreamRequest } from "../support/decode.js";
import { rejects, utf8 } from "./helpers.js";

const CODES = Object.keys(ERROR_CODES) as ErrorCode[];

t.test("frames too short for what they say", async (t) => {
  rejects(t, () => decodeStreamRequest(new Uint8Array(3)), "frame", /3 bytes are too short/);
  rejects(t, () => decodeStreamRequest(new Uint8Array(4)), "body", /not JSON/);
  rejects(t, () => decodeStreamRequest(Uint8Array.of(255, 255, 255, 255)), "body", /does not fit/);
});

t.test("every error survives an error frame, with the id and the stream of its request", async (t) => {
  for (const code of CODES) {
    const decoded = decodeStreamError(encodeStreamError(new HeadraceError(code, "why"), { id: "7", stream: 3 }));
    t.match(decoded, { error: { code, message: "why" }, id: "7", stream: 3 });
  }
  t.equal(decodeStreamError(encodeStreamError(new HeadraceError("INTERNAL", "x")))?.id, undefined);
  t.equal(decodeStreamError('{"model_name":"m","outputs":[]}'), undefined, "an answer is no error");
  t.equal(decodeStreamError('{"error":"x","code":"toString"}')?.error.code, "INTERNAL");
  t.throws(() => decodeStreamError("{"), InvalidArgumentError);
});

t.test("every error survives a close frame", async (t) => {
  for (const code of CODES) {
    const frame = closeFrameOf(new HeadraceError(code, "why"));
    t.match(errorOfClose(frame.code, frame.reason), { code, message: "why" });
  }
});

t.test("a close reason is at most 123 bytes and never half a character", async (t) => {
  for (let pad = 0; pad < 4; pad++) {
    const { reason } = closeFrameOf(new HeadraceError("INTERNAL", "x".repeat(pad) + "\u{1f30a}".repeat(60)));
    t.ok(utf8(reason).byteLength <= 123 && utf8(reason).byteLength > 119);
    t.notMatch(reason, /\uFFFD/);
  }
});

t.test("a close without a reason of ours means what RFC 6455 says", async (t) => {
  t.equal(errorOfClose(1009, "").code, "PAYLOAD_TOO_LARGE");
  t.equal(errorOfClose(1006, "").code, "UNAVAILABLE");
  t.equal(errorOfClose(4000, "NOT_A_CODE: x").code, "UNAVAILABLE");
  t.match(errorOfClose(1013, "busy").message, /\(1013\): busy/);
});

t.test("HTTP errors survive both surfaces", async (t) => {
  const error = new InvalidArgumentError("expected a number", { path: "inputs.audio[3]" });
  const fromV2 = errorOfResponse(error.httpStatus, encodeV2Error(error));
  t.match(fromV2, { code: "INVALID_ARGUMENT", message: "inputs.audio[3]: expected a number" });
  const fromRest = errorOfResponse(error.httpStatus, encodeRestError(error));
  t.match(
    fromRest,
    { code: "INVALID_ARGUMENT", path: error.path, message: error.message },
    "the path stands there once",
  );
  for (const code of CODES) {
    const sent = new HeadraceError(code, "why");
    t.match(errorOfResponse(sent.httpStatus, encodeRestError(sent)), { code, message: "why", path: undefined });
    t.equal(ERROR_CODES[codeOfStatus(sent.httpStatus)].http, sent.httpStatus === 409 ? 400 : sent.httpStatus);
  }
});

t.test("an error from something else than a server of ours", async (t) => {
  t.match(errorOfResponse(502, "<html>Bad gateway</html>"), { code: "UNAVAILABLE", message: /answered 502: <html>/ });
  t.match(errorOfResponse(418, ""), { code: "INVALID_ARGUMENT", message: "the server answered 418" });
  t.match(errorOfResponse(500, '{"error":{"code":"CELL_FAILED"}}'), { code: "INTERNAL" });
});
