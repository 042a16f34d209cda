/** Methods of one message each way that are not predictions: read into an object, answered with one, maybe later. */
import { HeadraceError } from "../../errors.js";
import { Bytes, type Call, type CallReceiver } from "./call.js";
import type { DeclaredMethod, MessageObject } from "./messages/schema.js";

/** Answers a request. What it throws or rejects with ends the call. */
export type UnaryHandler = (request: MessageObject) => MessageObject | Promise<MessageObject>;

export class UnaryCall implements CallReceiver {
  private hasMessage = false;

  constructor(
    private readonly call: Call,
    private readonly method: DeclaredMethod,
    private readonly handler: UnaryHandler,
  ) {}

  message(bytes: Buffer): void {
    if (this.hasMessage) throw new HeadraceError("INVALID_ARGUMENT", `${this.method.path} takes one message`);
    this.hasMessage = true;
    this.answer(this.method.request.decode(bytes)).catch((error: unknown) => this.call.fail(error));
  }

  halfClosed(): void {
    if (this.hasMessage) return;
    throw new HeadraceError("INVALID_ARGUMENT", `${this.method.path} takes one message, got none`);
  }

  cancelled(): void {}

  private async answer(request: MessageObject): Promise<void> {
    const answer = await this.handler(request);
    this.call.send(new Bytes(this.method.response.encode(answer)));
    this.call.finish();
  }
}
