/** V2 over HTTP with the binary extension, as small as the tests need it. */

/** Sends tensors to a model; its outputs by name. Throws with the server's message. */
export async function infer(url, model, inputs) {
  const header = Buffer.from(
    JSON.stringify({
      inputs: inputs.map(({ name, datatype, shape, data }) => ({
        ...{ name, datatype, shape },
        parameters: { binary_data_size: data.length },
      })),
      parameters: { binary_data_output: true },
    }),
  );
  const response = await fetch(`${url}/v2/models/${encodeURIComponent(model)}/infer`, {
    method: "POST",
    headers: { "inference-header-content-length": String(header.length) },
    body: Buffer.concat([header, ...inputs.map(({ data }) => data)]),
  });
  const body = Buffer.from(await response.arrayBuffer());
  if (!response.ok) throw new Error(`${response.status} ${JSON.parse(body.toString()).error}`);
  return outputsOf(body, Number(response.headers.get("inference-header-content-length") ?? body.length));
}

function outputsOf(body, headerLength) {
  let at = headerLength;
  const outputs = new Map();
  for (const output of JSON.parse(body.subarray(0, headerLength).toString()).outputs) {
    const size = output.parameters?.binary_data_size;
    if (size === undefined) throw new Error(`output '${output.name}' did not come as bytes`);
    outputs.set(output.name, { ...output, data: body.subarray(at, at + size) });
    at += size;
  }
  if (at !== body.length) throw new Error(`the response has ${body.length - at} bytes too many`);
  return outputs;
}
