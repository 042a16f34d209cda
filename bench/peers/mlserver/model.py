"""MLServer's custom runtime for the GRU."""

from gru import Gru
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse
from mlserver.utils import get_model_uri


class GruModel(MLModel):
    async def load(self) -> bool:
        self.gru = Gru(await get_model_uri(self.settings))
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        inputs = {tensor.name: NumpyCodec.decode_input(tensor) for tensor in payload.inputs}
        outputs = self.gru.step(inputs["sequence"][:, 0].tolist(), list(inputs["input"]))
        return InferenceResponse(model_name=self.name, outputs=[NumpyCodec.encode_output("output", outputs)])
