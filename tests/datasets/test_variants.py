from multiunet_datasets.synthetic import MOTIF, genome_with_motifs, write_genome
from multiunet_datasets.variants import TURN, find_motifs, variants_of_motifs, write_variants


def test_broken_motifs_are_gone_and_the_others_are_far_from_any(tmp_path):
    sequences, _ = genome_with_motifs(3, 9000)
    rows = variants_of_motifs(sequences, count=8)
    kinds = [name.partition("_")[0] for _, _, name, _, _ in rows]
    assert kinds.count("broken") == 8
    assert kinds.count("background") > 0
    for chrom, pos, name, ref, alt in rows:
        sequence = sequences[chrom]
        assert sequence[pos - 1] == ref != alt
        changed = sequence[: pos - 1] + alt + sequence[pos:]
        lost = len(find_motifs(sequence)) - len(find_motifs(changed))
        if name.startswith("broken"):
            assert lost >= 1  # two where both strands hold it
        else:
            assert lost == 0
            assert min(abs(pos - place) for place in find_motifs(sequence)) > 600
    assert find_motifs(f"AA{MOTIF[::-1].translate(TURN)}CC") == [2]


def test_a_file_has_the_same_variants(tmp_path):
    fasta, _ = write_genome(tmp_path, 2, 6000)
    lines = write_variants(fasta, tmp_path / "v.vcf", count=5).read_text().splitlines()
    assert lines[1].startswith("#CHROM\tPOS")
    sequences, _ = genome_with_motifs(2, 6000)
    assert [tuple(line.split("\t")[:5]) for line in lines[2:]] == [
        tuple(map(str, row)) for row in variants_of_motifs(sequences, count=5)
    ]
