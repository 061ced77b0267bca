# A template: the release workflow fills in {{URL}} and {{SHA256}}, the source archive of the tag and its digest.
class KtArchive < Formula
  desc "Archive Keeptrusts governance events by month, with manifests and checksums"
  homepage "https://docs.keeptrusts.com"
  url "{{URL}}"
  sha256 "{{SHA256}}"
  license "Apache-2.0"

  depends_on "rust" => :build

  def install
    system "cargo", "install", "--features", "otlp", *std_cargo_args
    generate_completions_from_executable(bin/"kt-archive", "completions", shells: [:bash, :zsh, :fish])
    system bin/"kt-archive", "man", man1
    pkgetc.install "examples/kt-archive.toml"
  end

  test do
    system bin/"kt-archive", "run", "--source", "demo:?events=50", "--archive", testpath/"archive"
    assert_match "no findings", shell_output("#{bin}/kt-archive verify --archive #{testpath}/archive")
  end
end
