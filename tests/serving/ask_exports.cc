// Answers requests of SavedModels with TensorFlow's C++ library alone: ask_exports [EXPORT REQUESTS]…
// REQUESTS/NUMBER-SIGNATURE/in/NAME and …/out/NAME are TensorProtos.

#include <filesystem>
#include <fstream>

#include "tensorflow/cc/saved_model/loader.h"
#include "tensorflow/core/framework/tensor.h"

bool Answer(const std::string& directory_of_export, const std::string& requests) {
  tensorflow::SavedModelBundle model;
  TF_CHECK_OK(tensorflow::LoadSavedModel({}, {}, directory_of_export, {"serve"}, &model));
  for (const auto& request : std::filesystem::directory_iterator(requests)) {
    const std::string directory = request.path().filename();
    const auto& signature = model.GetSignatures().at(directory.substr(directory.find('-') + 1));
    std::vector<std::pair<std::string, tensorflow::Tensor>> inputs;
    for (const auto& [name, input] : signature.inputs()) {
      std::ifstream file(request.path() / "in" / name, std::ios::binary);
      tensorflow::TensorProto proto;
      tensorflow::Tensor tensor;
      if (!proto.ParseFromIstream(&file) || !tensor.FromProto(proto)) return false;
      inputs.emplace_back(input.name(), tensor);
    }
    std::vector<std::string> names, fetched;
    for (const auto& [name, output] : signature.outputs()) {
      names.push_back(name);
      fetched.push_back(output.name());
    }
    std::vector<tensorflow::Tensor> outputs;
    TF_CHECK_OK(model.GetSession()->Run(inputs, fetched, {}, &outputs));
    for (size_t number = 0; number < names.size(); ++number) {
      tensorflow::TensorProto proto;
      outputs[number].AsProtoField(&proto);
      std::ofstream file(request.path() / "out" / names[number], std::ios::binary);
      if (!proto.SerializeToOstream(&file)) return false;
    }
  }
  return true;
}

int main(int count, char** arguments) {
  for (int place = 1; place + 1 < count; place += 2)
    if (!Answer(arguments[place], arguments[place + 1])) return 1;
}
