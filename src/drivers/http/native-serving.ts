/** Which models the listener's threads step by themselves, without JavaScript. */
import type { DirectModel } from "../../runtime/index.js";
import type { TransportServer } from "../../transport/index.js";
import type { ModelEndpoint } from "./model-endpoint.js";

/**
 * Lets the threads of a listener serve the raw streams of an endpoint's model where they can, and those who follow its streams hear
 * of their steps. Returns how to end that; undefined where they cannot.
 */
export function serveNatively(server: TransportServer, endpoint: ModelEndpoint): (() => void) | undefined {
  const { direct, stateful } = endpoint.inference;
  if (direct === undefined || !stateful || !isPlain(direct)) return undefined;
  const { engine } = direct;
  const model = server.addModel(engine.share(), (key, outputs) => engine.steppedElsewhere(key, outputs));
  const stopFollowing = engine.onTap((key, on) => model.follow(key, on));
  endpoint.native = model;
  return () => {
    stopFollowing();
    endpoint.native = undefined;
    server.removeModel(model);
  };
}

/** Whether a frame is the bytes of its input as they are, and an answer those of all outputs in the engine's order. */
function isPlain({ engine, inputs, outputs }: DirectModel): boolean {
  const [input, ...others] = inputs;
  // The bytes of a BOOL have to be looked at.
  if (input === undefined || others.length > 0 || !input.fixed || input.datatype === "BOOL") return false;
  if (outputs.length !== engine.description.outputs.length) return false;
  return outputs.every(({ index, fixed }, position) => fixed && index === position);
}
