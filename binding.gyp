# A shim for tools that look for it: hands over to CMake, which describes the build (CMakeLists.txt).
{
  "targets": [
    {
      "target_name": "headrace",
      "type": "none",
      "actions": [
        {
          "action_name": "cmake",
          "inputs": ["CMakeLists.txt"],
          "outputs": ["build-gyp/Release/headrace.node"],
          "action": ["node", "scripts/build-native.mjs", "--out", "build-gyp"]
        }
      ]
    }
  ]
}
