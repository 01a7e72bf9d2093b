import gzip

import pytest
from Bio import bgzf

from multiunet.domains.genome.variants.vcf import iter_records
from multiunet.errors import InputError

HEAD = "##fileformat=VCFv4.3\n##contig=<ID=chr1>\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
ROWS = "chr1\t12\trs1\tA\tG\t.\tPASS\t.\nchr1\t20\t.\tac\tA,ACC,<DEL>,*\t.\t.\tSVTYPE=DEL\n"


def written(path, text, pack=None):
    if pack is None:
        path.write_text(text, newline="")
    elif pack == "gzip":
        path.write_bytes(gzip.compress(text.encode()))
    else:
        with bgzf.open(path, "wb") as file:
            file.write(text.encode())
    return path


@pytest.mark.parametrize("pack", [None, "gzip", "bgzip"])
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_records_are_read_plain_and_packed(tmp_path, pack, ends):
    path = written(tmp_path / "a.vcf", (HEAD + ROWS).replace("\n", ends), pack)
    one, two = iter_records(path)
    assert (one.line, one.chrom, one.pos, one.start, one.id, one.ref, one.alts) == (
        4,
        "chr1",
        12,
        11,
        "rs1",
        "A",
        ("G",),
    )
    assert (two.line, two.ref, two.alts) == (5, "ac", ("A", "ACC", "<DEL>", "*"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ["no line #CHROM POS ID REF ALT", "no VCF?"]),
        ("chr1\t1\t.\tA\tG\n", [":1:", "before the records, the line"]),
        (HEAD.replace("\t", " "), [":3:", "parted by tabs"]),
        (HEAD + "chr1 12 . A G\n", [":4:", "parted by blanks; use tabs"]),
        (HEAD + "chr1\t12\t.\tA\n", [":4:", "has 4 columns"]),
        (HEAD + "chr1\t1e3\t.\tA\tG\n", [":4:", "POS '1e3'"]),
        (HEAD + "chr1\t-1\t.\tA\tG\n", [":4:", "POS '-1'"]),
        (HEAD + "chr1\t1\t.\t-\tG\n", [":4:", "REF '-'", "the base before it"]),
        (HEAD + "chr1\t1\t.\t.\tG\n", [":4:", "REF '.'"]),
        (HEAD + "chr1\t1\t.\t<DEL>\tG\n", [":4:", "REF '<DEL>'"]),
        (HEAD + "chr1\t1\t.\t\u017f\tG\n", [":4:", "is not bases"]),  # a long s is an S without regard to case
    ],
)
def test_what_is_no_vcf_is_named_with_its_line(tmp_path, text, words):
    with pytest.raises(InputError) as error:
        list(iter_records(written(tmp_path / "a.vcf", text)))
    assert all(word in str(error.value) for word in ["a.vcf", *words]), error.value


def test_bcf_cut_files_and_other_versions(tmp_path, caplog):
    with pytest.raises(InputError, match="bcftools view"):
        list(iter_records(written(tmp_path / "a.bcf", "BCF\x02\x02more", "bgzip")))
    whole = written(tmp_path / "b.vcf.gz", HEAD + ROWS * 2000, "gzip").read_bytes()
    (tmp_path / "b.vcf.gz").write_bytes(whole[:-40])
    with pytest.raises(InputError, match=r"b\.vcf\.gz"):
        list(iter_records(tmp_path / "b.vcf.gz"))
    with pytest.raises(InputError, match="no such file"):
        list(iter_records(tmp_path / "c.vcf"))
    old = written(tmp_path / "old.vcf", (HEAD + ROWS).replace("VCFv4.3", "VCFv3.3"))
    assert len(list(iter_records(old))) == 2
    assert "read as VCF 4" in caplog.text
