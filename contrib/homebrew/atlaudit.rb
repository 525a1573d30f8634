# A template: the release workflow puts the version, the address of the release and the checksums in. On Linux the static
# program; on macOS, where nothing is tested, built from source.
class Atlaudit < Formula
  desc "Collects Atlassian audit logs completely and exactly once, as JSON lines"
  homepage "@HOMEPAGE@"
  version "@VERSION@"
  license any_of: ["MIT", "Apache-2.0"]

  on_macos do
    url "@RELEASE@/atlaudit-@VERSION@-source.tar.gz"
    sha256 "@SHA256_SOURCE@"
    depends_on "rust" => :build
  end

  on_linux do
    on_intel do
      url "@RELEASE@/atlaudit-@VERSION@-x86_64-unknown-linux-musl.tar.gz"
      sha256 "@SHA256_X86_64@"
    end
    on_arm do
      url "@RELEASE@/atlaudit-@VERSION@-aarch64-unknown-linux-musl.tar.gz"
      sha256 "@SHA256_AARCH64@"
    end
  end

  def install
    if OS.mac?
      system "cargo", "install", *std_cargo_args
    else
      bin.install "atlaudit"
    end
    system bin/"atlaudit", "man", "--dir", man1
    generate_completions_from_executable(bin/"atlaudit", "completions")
  end

  test do
    assert_match "user_login", shell_output("#{bin}/atlaudit demo")
  end
end
