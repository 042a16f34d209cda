/** An answer of which only the elements change: everything else was encoded once. */
import { typedArrayOver } from "../datatype.js";
import { RowWriter } from "../engine/json.js";
import { bug } from "../errors.js";
import { type EncodedMessage, encodeInferResponse, type NamedTensor, utf8Text } from "../protocol/index.js";
import type { DirectTensor } from "../runtime/index.js";

/** The names of an answer. */
export interface AnswerHead {
  readonly modelName: string;
  readonly modelVersion: string;
  readonly id: string | undefined;
}

export interface PreparedAnswer {
  /**
   * The answer with these elements.
   *
   * @param bytesOf The row of an output of the engine.
   * @returns Parts that are valid until the row is released, and until the next answer.
   */
  message(bytesOf: (output: number) => Uint8Array): EncodedMessage;
}

/** All outputs of fixed size, of one row each, behind the JSON. */
export function binaryAnswer(head: AnswerHead, outputs: readonly DirectTensor[]): PreparedAnswer {
  const { header, total, headerLength } = encodeInferResponse({ ...head, outputs: outputs.map(emptyOf) }, () => true);
  return {
    message: (bytesOf) => ({ header, parts: outputs.map(({ index }) => bytesOf(index)), total, headerLength }),
  };
}

/** No name has it as it stands: in JSON it would be an escape. */
const PLACE = "\u0000";

const encoder = new TextEncoder();

/** All outputs of fixed size, of one row each, in the JSON. */
export function jsonAnswer(head: AnswerHead, outputs: readonly DirectTensor[]): PreparedAnswer {
  const response = { ...head, outputs: outputs.map(emptyOf) };
  const { header } = encodeInferResponse(
    response,
    () => false,
    () => PLACE,
  );
  const [first = "", ...others] = utf8Text(header, "answer").split(PLACE);
  const between = others.map((text) => encoder.encode(text));
  const start = encoder.encode(first);
  const fixedBytes = between.reduce((sum, { byteLength }) => sum + byteLength, start.byteLength);
  const writers = outputs.map(({ datatype, rowBytes }) => new RowWriter(fixedDatatype(datatype), rowBytes));
  return {
    message(bytesOf) {
      const parts: Uint8Array[] = [];
      let total = fixedBytes;
      for (let i = 0; i < outputs.length; ++i) {
        const text = writers[i]?.write(bytesOf(outputs[i]?.index ?? -1));
        const after = between[i];
        if (text === undefined || after === undefined) throw bug("an answer has fewer places than outputs");
        parts.push(text, after);
        total += text.byteLength;
      }
      return { header: start, parts, total, headerLength: undefined };
    },
  };
}

function fixedDatatype(datatype: DirectTensor["datatype"]): Exclude<DirectTensor["datatype"], "BYTES"> {
  if (datatype === "BYTES") throw bug("an output of strings has no fixed size");
  return datatype;
}

function emptyOf({ name, datatype, oneRow, rowBytes }: DirectTensor): NamedTensor {
  const fixed = fixedDatatype(datatype);
  return { name, datatype: fixed, shape: oneRow, data: typedArrayOver(fixed, new Uint8Array(rowBytes)) };
}
