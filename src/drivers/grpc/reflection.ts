/** grpc.reflection: what the server offers, for tools that have no .proto of it. v1 and v1alpha differ by name only. */
import { ERROR_CODES, serverStopping } from "../../errors.js";
import { Bytes, type Call, type CallReceiver } from "./call.js";
import { type ProtoFile, protoFiles } from "./messages/descriptors.js";
import type { DeclaredMethod, MessageObject } from "./messages/schema.js";

export const SERVICES = [
  "grpc.health.v1.Health",
  "grpc.reflection.v1.ServerReflection",
  "grpc.reflection.v1alpha.ServerReflection",
  "inference.GRPCInferenceService",
] as const;

/** Calls of ServerReflectionInfo that are open. */
export class Reflections {
  private readonly all = new Set<Reflection>();

  open(call: Call, method: DeclaredMethod): CallReceiver {
    const reflection = new Reflection(call, method, () => this.all.delete(reflection));
    this.all.add(reflection);
    return reflection;
  }

  /** Nothing will be served here any more: they would go on for as long as their clients want. */
  end(): void {
    for (const reflection of [...this.all]) reflection.end();
  }
}

/** One call: each question is answered in its turn. */
class Reflection implements CallReceiver {
  /** @param over Called when the call is over, perhaps more than once. */
  constructor(
    private readonly call: Call,
    private readonly method: DeclaredMethod,
    private readonly over: () => void,
  ) {}

  message(bytes: Buffer): void {
    const refusal = this.call.client?.refusal();
    if (refusal !== undefined) throw refusal;
    const question = this.method.request.decode(bytes);
    const answer = { valid_host: question.host, original_request: question, ...answerTo(question) };
    this.call.send(new Bytes(this.method.response.encode(answer)));
    // Answers are many times as large as questions: who does not read them asks no more.
    if (this.call.waitingBytes > 0) this.call.pause();
  }

  drained(): void {
    this.call.resume();
  }

  halfClosed(): void {
    this.over();
    this.call.finish();
  }

  cancelled(): void {
    this.over();
  }

  end(): void {
    this.over();
    this.call.fail(serverStopping());
  }
}

let files: readonly ProtoFile[] | undefined;

function answerTo(question: MessageObject): MessageObject {
  files ??= protoFiles();
  switch (question.message_request) {
    case "list_services":
      return { list_services_response: { service: SERVICES.map((name) => ({ name })) } };
    case "file_by_filename": {
      const name = String(question.file_by_filename);
      return file(
        files.find((candidate) => candidate.name === name),
        `file '${name}'`,
      );
    }
    case "file_containing_symbol": {
      const name = String(question.file_containing_symbol);
      return file(
        files.find(({ symbols }) => symbols.includes(name)),
        `symbol '${name}'`,
      );
    }
    case "all_extension_numbers_of_type": {
      const name = String(question.all_extension_numbers_of_type);
      const isKnown = files.some(({ symbols }) => symbols.includes(name));
      if (!isKnown) return error("NOT_FOUND", `there is no type '${name}'`);
      return { all_extension_numbers_response: { base_type_name: name, extension_number: [] } };
    }
    case "file_containing_extension":
      return error("NOT_FOUND", "there are no extensions");
    default:
      return error("INVALID_ARGUMENT", "the question has no content");
  }
}

/** A file with those that it needs. */
function file(found: ProtoFile | undefined, what: string): MessageObject {
  if (found === undefined) return error("NOT_FOUND", `there is no ${what}`);
  const needed = (files ?? []).filter(({ name }) => found.dependencies.includes(name));
  return {
    file_descriptor_response: { file_descriptor_proto: [found, ...needed].map(({ descriptor }) => descriptor) },
  };
}

function error(code: "NOT_FOUND" | "INVALID_ARGUMENT", message: string): MessageObject {
  return { error_response: { error_code: ERROR_CODES[code].grpc, error_message: message } };
}
