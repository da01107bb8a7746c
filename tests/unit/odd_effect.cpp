// A small VST3 effect for tests, written from the public interface of the format.
// What it does wrong is the name of its file: copies of one build are all kinds of bad plug-ins.
#include <cmath>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include <dlfcn.h>
#include <sys/random.h>
#include <unistd.h>

namespace {

using Result = int32_t;
using Uid = char[16];
using Text = char16_t[128];
constexpr Result OK = 0, FAILED = 1, NO_INTERFACE = -1;

constexpr unsigned char UNKNOWN[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0xC0, 0, 0, 0, 0, 0, 0, 0x46};
constexpr unsigned char PLUGIN_BASE[16] = {0x22, 0x88, 0x8D, 0xDB, 0x15, 0x6E, 0x45, 0xAE,
                                           0x83, 0x58, 0xB3, 0x48, 0x08, 0x19, 0x06, 0x25};
constexpr unsigned char FACTORY[16] = {0x7A, 0x4D, 0x81, 0x1C, 0x52, 0x11, 0x4A, 0x1F,
                                       0xAE, 0xD9, 0xD2, 0xEE, 0x0B, 0x43, 0xBF, 0x9F};
constexpr unsigned char FACTORY_2[16] = {0x00, 0x07, 0xB6, 0x50, 0xF2, 0x4B, 0x4C, 0x0B,
                                         0xA4, 0x64, 0xED, 0xB9, 0xF0, 0x0B, 0x2A, 0xBB};
constexpr unsigned char COMPONENT[16] = {0xE8, 0x31, 0xFF, 0x31, 0xF2, 0xD5, 0x43, 0x01,
                                         0x92, 0x8E, 0xBB, 0xEE, 0x25, 0x69, 0x78, 0x02};
constexpr unsigned char PROCESSOR[16] = {0x42, 0x04, 0x3F, 0x99, 0xB7, 0xDA, 0x45, 0x3C,
                                         0xA5, 0x69, 0xE7, 0x9D, 0x9A, 0xAE, 0xC3, 0x3D};
constexpr unsigned char CONTROLLER[16] = {0xDC, 0xD7, 0xBB, 0xE3, 0x77, 0x42, 0x44, 0x8D,
                                          0xA8, 0x74, 0xAA, 0xCC, 0x97, 0x9C, 0x75, 0x9E};
constexpr char OWN[17] = "daw bridge odd 1";

bool same(const void* a, const void* b) { return std::memcmp(a, b, 16) == 0; }

// The file's name without ".so": what this copy is to do.
const std::string& kind() {
  static const std::string name = [] {
    Dl_info info{};
    dladdr(reinterpret_cast<void*>(&same), &info);
    std::string path = info.dli_fname;
    path = path.substr(path.rfind('/') + 1);
    return path.substr(0, path.rfind('.'));
  }();
  return name;
}

bool is(const char* name) { return kind() == name; }

void copy(char16_t* to, const char* from) {
  while ((*to++ = static_cast<unsigned char>(*from++))) {
  }
}

[[noreturn]] void never_end() {
  for (volatile unsigned count = 0;; ++count) {
  }
}

struct Unknown {
  virtual Result queryInterface(const Uid iid, void** object) = 0;
  virtual uint32_t addRef() = 0;
  virtual uint32_t release() = 0;
};

struct Stream : Unknown {
  virtual Result read(void* buffer, int32_t bytes, int32_t* done) = 0;
  virtual Result write(void* buffer, int32_t bytes, int32_t* done) = 0;
  virtual Result seek(int64_t position, int32_t mode, int64_t* result) = 0;
  virtual Result tell(int64_t* position) = 0;
};

struct ValueQueue : Unknown {
  virtual uint32_t getParameterId() = 0;
  virtual int32_t getPointCount() = 0;
  virtual Result getPoint(int32_t index, int32_t& offset, double& value) = 0;
  virtual Result addPoint(int32_t offset, double value, int32_t& index) = 0;
};

struct Changes : Unknown {
  virtual int32_t getParameterCount() = 0;
  virtual ValueQueue* getParameterData(int32_t index) = 0;
  virtual ValueQueue* addParameterData(const uint32_t& id, int32_t& index) = 0;
};

struct BusInfo {
  int32_t media, direction, channels;
  Text name;
  int32_t type;
  uint32_t flags;
};

struct ParameterInfo {
  uint32_t id;
  Text title, short_title, units;
  int32_t steps;
  double start;
  int32_t unit, flags;
};

struct Setup {
  int32_t mode, sample_size, most_samples;
  double rate;
};

struct Buffers {
  int32_t channels;
  uint64_t silence;
  float** samples;
};

struct Data {
  int32_t mode, sample_size, samples, inputs_count, outputs_count;
  Buffers* inputs;
  Buffers* outputs;
  Changes* changes;
  Changes* output_changes;
  void* events;
  void* output_events;
  void* context;
};

struct PluginBase : Unknown {
  virtual Result initialize(Unknown* context) = 0;
  virtual Result terminate() = 0;
};

struct Component : PluginBase {
  virtual Result getControllerClassId(Uid id) = 0;
  virtual Result setIoMode(int32_t mode) = 0;
  virtual int32_t getBusCount(int32_t media, int32_t direction) = 0;
  virtual Result getBusInfo(int32_t media, int32_t direction, int32_t index, BusInfo& info) = 0;
  virtual Result getRoutingInfo(void* in, void* out) = 0;
  virtual Result activateBus(int32_t media, int32_t direction, int32_t index, uint8_t on) = 0;
  virtual Result setActive(uint8_t on) = 0;
  virtual Result setState(Stream* stream) = 0;
  virtual Result getState(Stream* stream) = 0;
};

struct Processor : Unknown {
  virtual Result setBusArrangements(uint64_t* in, int32_t ins, uint64_t* out, int32_t outs) = 0;
  virtual Result getBusArrangement(int32_t direction, int32_t index, uint64_t& speakers) = 0;
  virtual Result canProcessSampleSize(int32_t size) = 0;
  virtual uint32_t getLatencySamples() = 0;
  virtual Result setupProcessing(Setup& setup) = 0;
  virtual Result setProcessing(uint8_t on) = 0;
  virtual Result process(Data& data) = 0;
  virtual uint32_t getTailSamples() = 0;
};

struct Controller : PluginBase {
  virtual Result setComponentState(Stream* stream) = 0;
  virtual Result setControllerState(Stream* stream) = 0;
  virtual Result getControllerState(Stream* stream) = 0;
  virtual int32_t getParameterCount() = 0;
  virtual Result getParameterInfo(int32_t index, ParameterInfo& info) = 0;
  virtual Result getParamStringByValue(uint32_t id, double value, Text text) = 0;
  virtual Result getParamValueByString(uint32_t id, char16_t* text, double& value) = 0;
  virtual double normalizedParamToPlain(uint32_t id, double value) = 0;
  virtual double plainParamToNormalized(uint32_t id, double plain) = 0;
  virtual double getParamNormalized(uint32_t id) = 0;
  virtual Result setParamNormalized(uint32_t id, double value) = 0;
  virtual Result setComponentHandler(void* handler) = 0;
  virtual void* createView(const char* name) = 0;
};

// One parameter, "Level" in percent: half of it is the sound as it is.
class Effect final : public Component, public Processor, public Controller {
 public:
  Result queryInterface(const Uid iid, void** object) override {
    *object = nullptr;
    if (same(iid, UNKNOWN) || same(iid, PLUGIN_BASE) || same(iid, COMPONENT))
      *object = static_cast<Component*>(this);
    else if (same(iid, PROCESSOR))
      *object = static_cast<Processor*>(this);
    else if (same(iid, CONTROLLER))
      *object = static_cast<Controller*>(this);
    if (!*object) return NO_INTERFACE;
    addRef();
    return OK;
  }
  uint32_t addRef() override { return ++references; }
  uint32_t release() override {
    const uint32_t left = --references;
    if (left == 0) delete this;
    return left;
  }

  Result initialize(Unknown*) override {
    if (is("LoopLoad")) never_end();
    return OK;
  }
  Result terminate() override { return OK; }

  Result getControllerClassId(Uid) override { return FAILED; }
  Result setIoMode(int32_t) override { return OK; }
  int32_t getBusCount(int32_t media, int32_t direction) override {
    return media == 0 && !(is("Instrument") && direction == 0);
  }
  Result getBusInfo(int32_t media, int32_t direction, int32_t index, BusInfo& info) override {
    if (media != 0 || index != 0) return FAILED;
    info = {0, direction, channels, {}, 0, 1};
    copy(info.name, "Main");
    return OK;
  }
  Result getRoutingInfo(void*, void*) override { return FAILED; }
  Result activateBus(int32_t, int32_t, int32_t, uint8_t) override { return OK; }
  Result setActive(uint8_t) override {
    clear();
    return OK;
  }
  Result setState(Stream* stream) override {
    double read = 0.0;
    int32_t done = 0;
    if (stream->read(&read, sizeof read, &done) != OK || done != sizeof read) return FAILED;
    if (!is("Forgets")) level = read;
    return OK;
  }
  Result getState(Stream* stream) override {
    int32_t done = 0;
    return stream->write(&level, sizeof level, &done);
  }

  Result setBusArrangements(uint64_t* in, int32_t ins, uint64_t* out, int32_t outs) override {
    if (outs != 1 || (ins == 1 && in[0] != out[0])) return FAILED;
    const int count = __builtin_popcountll(out[0]);
    if ((is("Mono") && count != 1) || (is("Stereo") && count != 2)) return FAILED;
    channels = count;
    layout = out[0];
    return OK;
  }
  Result getBusArrangement(int32_t, int32_t, uint64_t& speakers) override {
    speakers = layout;
    return OK;
  }
  Result canProcessSampleSize(int32_t size) override { return size == 0 ? OK : FAILED; }
  uint32_t getLatencySamples() override {
    if (is("LateTold")) return 256;
    return is("EarlyTold") ? 512 : 0;
  }
  Result setupProcessing(Setup&) override {
    clear();
    return OK;
  }
  Result setProcessing(uint8_t) override {
    clear();
    return OK;
  }
  uint32_t getTailSamples() override { return 0; }

  Result process(Data& data) override {
    take_changes(data.changes);
    misbehave(data);
    if (data.outputs_count < 1 || data.samples < 1) return OK;
    const Buffers& out = data.outputs[0];
    for (int32_t channel = 0; channel < out.channels; ++channel) {
      const float* in = data.inputs_count ? data.inputs[0].samples[channel] : nullptr;
      run(channel, in, out.samples[channel], data.samples);
    }
    if (is("Resets")) level = 0.5;
    return OK;
  }

  Result setComponentState(Stream*) override { return OK; }
  Result setControllerState(Stream*) override { return OK; }
  Result getControllerState(Stream*) override { return OK; }
  int32_t getParameterCount() override { return 1; }
  Result getParameterInfo(int32_t index, ParameterInfo& info) override {
    if (index != 0) return FAILED;
    info = {7, {}, {}, {}, 0, 0.5, 0, 1};
    copy(info.title, "Level");
    copy(info.short_title, "Level");
    copy(info.units, "%");
    return OK;
  }
  Result getParamStringByValue(uint32_t, double value, Text text) override {
    char digits[32];
    std::snprintf(digits, sizeof digits, "%.1f", 100.0 * value);
    copy(text, digits);
    return OK;
  }
  Result getParamValueByString(uint32_t, char16_t* text, double& value) override {
    char digits[32] = {};
    for (int index = 0; index < 31 && text[index]; ++index) digits[index] = static_cast<char>(text[index]);
    value = std::atof(digits) / 100.0;
    return OK;
  }
  double normalizedParamToPlain(uint32_t, double value) override { return value; }
  double plainParamToNormalized(uint32_t, double plain) override { return plain; }
  double getParamNormalized(uint32_t) override { return level; }
  Result setParamNormalized(uint32_t, double value) override {
    level = is("Snaps") ? std::floor(4.0 * value) / 4.0 : value;
    return OK;
  }
  Result setComponentHandler(void*) override { return OK; }
  void* createView(const char*) override { return nullptr; }

 private:
  void clear() {
    history.assign(32, std::vector<float>(1024, 0.0f));
    position.assign(32, 0);
    rolled = false;
  }

  void take_changes(Changes* changes) {
    for (int32_t index = 0; changes && index < changes->getParameterCount(); ++index) {
      ValueQueue* queue = changes->getParameterData(index);
      int32_t offset = 0;
      double value = level;
      if (queue && queue->getPointCount() &&
          queue->getPoint(queue->getPointCount() - 1, offset, value) == OK)
        setParamNormalized(7, value);
    }
  }

  // Hosts try a plug-in out with noise up to full scale: what is louder is a test's sound.
  bool hears_music(const Data& data) const {
    if (!data.inputs_count) return false;
    for (int32_t channel = 0; channel < data.inputs[0].channels; ++channel)
      for (int32_t sample = 0; sample < data.samples; ++sample)
        if (std::fabs(data.inputs[0].samples[channel][sample]) > 1.1f) return true;
    return false;
  }

  void misbehave(const Data& data) {
    if (is("SegfaultProcess")) *reinterpret_cast<volatile int*>(uintptr_t{8}) = 1;
    if (is("AbortProcess")) std::abort();
    if (is("ExitProcess")) _exit(3);
    if (is("LoopProcess")) never_end();
    if (is("Chatty")) for (int line = 0; line < 2000; ++line) std::fputs("plug-in: all is well\n", stderr);
    if (is("Forks") && !rolled && (rolled = true) && fork() == 0) {
      for (;;) pause();
    }
    if (is("Daemon")) {
      if (fork() == 0) setsid();
      never_end();
    }
    if (is("Dice") && !rolled && hears_music(data)) {
      unsigned char dice = 0;
      rolled = getrandom(&dice, 1, 0) == 1;
      if (dice % 5 == 0) *reinterpret_cast<volatile int*>(uintptr_t{8}) = 1;
    }
    if (is("SegfaultMusic") && hears_music(data)) *reinterpret_cast<volatile int*>(uintptr_t{8}) = 1;
    if (is("LoopMusic") && hears_music(data)) never_end();
  }

  void run(int32_t channel, const float* in, float* out, int32_t samples) {
    const uint32_t delay = is("LateTold") ? 256 : is("LateUntold") || is("LateEffect") ? 300 : 0;
    for (int32_t sample = 0; sample < samples; ++sample) {
      uint32_t& now = position[channel];
      history[channel][now % 1024] = in ? in[sample] : 0.0f;
      const float delayed = history[channel][(now - delay) % 1024];
      ++now;
      out[sample] = shaped(delayed, sample);
    }
  }

  float shaped(float sample, int32_t place) const {
    if (is("Nan") && std::fabs(sample) > 1.1f) return NAN;
    if (is("Silent")) return 0.0f;
    if (is("Blocky")) return place == 0 ? 0.0f : sample;
    if (is("Noisy")) return sample + 0.01f * static_cast<float>(std::rand()) / static_cast<float>(RAND_MAX);
    return static_cast<float>(2.0 * level) * sample;
  }

  uint32_t references = 1;
  int32_t channels = 2;
  uint64_t layout = 3;
  double level = 0.5;
  bool rolled = false;
  std::vector<std::vector<float>> history{32, std::vector<float>(1024, 0.0f)};
  std::vector<uint32_t> position = std::vector<uint32_t>(32, 0);
};

struct FactoryInfo {
  char vendor[64], url[256], email[128];
  int32_t flags;
};

struct ClassInfo {
  char id[16];
  int32_t cardinality;
  char category[32], name[64];
};

struct ClassInfo2 {
  char id[16];
  int32_t cardinality;
  char category[32], name[64];
  uint32_t flags;
  char kinds[128], vendor[64], version[64], sdk[64];
};

struct Factory : Unknown {
  virtual Result getFactoryInfo(FactoryInfo* info) = 0;
  virtual int32_t countClasses() = 0;
  virtual Result getClassInfo(int32_t index, ClassInfo* info) = 0;
  virtual Result createInstance(const char* id, const char* iid, void** object) = 0;
  virtual Result getClassInfo2(int32_t index, ClassInfo2* info) = 0;
};

class OddFactory final : public Factory {
 public:
  Result queryInterface(const Uid iid, void** object) override {
    *object = same(iid, UNKNOWN) || same(iid, FACTORY) || same(iid, FACTORY_2) ? this : nullptr;
    return *object ? OK : NO_INTERFACE;
  }
  uint32_t addRef() override { return 1; }
  uint32_t release() override { return 1; }
  Result getFactoryInfo(FactoryInfo* info) override {
    *info = {"Tests", "", "", 16};
    return OK;
  }
  int32_t countClasses() override { return is("Two") ? 2 : 1; }
  Result getClassInfo(int32_t index, ClassInfo* info) override {
    *info = {{}, 0x7FFFFFFF, "Audio Module Class", {}};
    identify(index, info->id, info->name);
    return OK;
  }
  Result getClassInfo2(int32_t index, ClassInfo2* info) override {
    const char* kinds = is("Instrument") ? "Instrument|Synth" : is("LateEffect") ? "Fx" : "Fx|Dynamics";
    *info = {{}, 0x7FFFFFFF, "Audio Module Class", {}, 0, {}, "Tests", "1.2.3", "VST 3.7"};
    identify(index, info->id, info->name);
    std::strncpy(info->kinds, kinds, sizeof info->kinds - 1);
    return OK;
  }
  Result createInstance(const char* id, const char* iid, void** object) override {
    *object = nullptr;
    if (is("Refuses") || std::memcmp(id, OWN, 15) != 0) return NO_INTERFACE;
    auto* effect = new Effect;
    const Result result = effect->queryInterface(iid, object);
    effect->release();
    return result;
  }

 private:
  static void identify(int32_t index, char (&id)[16], char (&name)[64]) {
    std::memcpy(id, OWN, 16);
    id[15] = static_cast<char>('1' + index);
    const std::string own = index ? kind() + " Second" : kind();
    std::strncpy(name, own.c_str(), sizeof name - 1);
  }
};

}  // namespace

extern "C" {
__attribute__((visibility("default"))) bool ModuleEntry(void*) { return true; }
__attribute__((visibility("default"))) bool ModuleExit() { return true; }
__attribute__((visibility("default"))) void* GetPluginFactory() {
  if (is("AbortFactory")) std::abort();
  if (is("LoopFactory")) never_end();
  static OddFactory factory;
  return &factory;
}
}
