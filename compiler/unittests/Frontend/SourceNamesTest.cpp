// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "loom/Frontend/SourceNames.h"

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/MLIRContext.h"

#include <gtest/gtest.h>

using namespace mlir;
using namespace mlir::loom;

namespace {
class SourceNames : public ::testing::Test {
protected:
  Location line(StringRef file, unsigned row, unsigned column) {
    return FileLineColLoc::get(&context, file, row, column);
  }
  Location named(StringRef name, Location child) {
    return NameLoc::get(StringAttr::get(&context, name), child);
  }
  Location at(Location callee, Location caller) {
    return CallSiteLoc::get(callee, caller);
  }
  Location unknown() { return UnknownLoc::get(&context); }

  MLIRContext context;
};
} // namespace

TEST_F(SourceNames, ModulePath) {
  auto path = [&](StringRef scope) {
    return modulePath(named(scope, unknown()));
  };
  EXPECT_EQ(path("jit(<lambda>)/SmallCNN/Dense_1/dot_general"),
            "SmallCNN/Dense_1");
  EXPECT_EQ(path("jit(f)/MLP/jit(relu)"), "MLP");
  EXPECT_EQ(path("jit(f)/jvp(CNN)/Conv_0/conv"), "CNN/Conv_0");
  EXPECT_EQ(path("jit(f)/transpose(jvp(CNN))/Conv_0/conv"), "CNN/Conv_0");
  EXPECT_EQ(path("jit(f)/RNN/while/body/Cell_0/add"), "RNN/Cell_0");
  EXPECT_EQ(path("jit(g)/dot_general"), "");
  EXPECT_EQ(path("max"), "");
  EXPECT_EQ(modulePath(unknown()), "");
}

TEST_F(SourceNames, InlinedOperationKeepsItsLayer) {
  Location call = named("jit(f)/MLP/jit(relu)", line("models.py", 3, 7));
  Location inlined = at(named("max", unknown()), call);
  EXPECT_EQ(modulePath(inlined), "MLP");
  EXPECT_EQ(sourceLine(inlined), "models.py:3:7");
}

TEST_F(SourceNames, NewerJaxPutsThePrimitiveOutside) {
  EXPECT_EQ(
      modulePath(named("dot_general:",
                       named("jit(f)/MLP/Dense_0/dot_general", unknown()))),
      "MLP/Dense_0");
}

TEST_F(SourceNames, UsersLineComesBeforeTheLibrarys) {
  Location library = named(
      "Dense.__call__",
      line("/v/lib/python3.11/site-packages/flax/linen/linear.py", 287, 8));
  Location user = named("MLP.__call__", line("/home/a/models.py", 172, 24));
  EXPECT_EQ(sourceLine(named("jit(f)/MLP/Dense_1/dot_general",
                             at(library, at(user, unknown())))),
            "models.py:172:24");
  EXPECT_EQ(sourceLine(library), "linear.py:287:8");
  EXPECT_EQ(sourceLine(unknown()), "");
}

TEST_F(SourceNames, ArgumentName) {
  EXPECT_EQ(argumentName(named("v['params']['bias']", unknown())),
            "v['params']['bias']");
  EXPECT_EQ(argumentName(unknown()), "");
}
