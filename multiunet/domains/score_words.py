"""Scores in words: titles, what each is, and which of uncertainty are shown."""

from __future__ import annotations

from collections.abc import Mapping

GOALS = {
    "calibration_error": "0",
    "worst_calibration_error": "0",
    "coverage_50": "0.5",
    "coverage_80": "0.8",
    "coverage_90": "0.9",
    "coverage_95": "0.95",
    "set_size_90": "low",
    "coverage_90_aps": "0.9",
    "set_size_90_aps": "low",
    "coverage_90_daps": "0.9",
    "set_size_90_daps": "low",
    "interval_width_90": "low",
    "ence": "0",
    "miscalibration_area": "0",
    "nll": "low",
    "brier": "0",
    "error_auroc": "1, by chance 0.5",
    "error_spearman": "1, by chance 0",
    "item_spearman": "1, by chance 0",
    "aurc": "low",
    "excess_aurc": "0",
    "ause": "0",
    "ood_item_auroc": "1, by chance 0.5",
    "ood_item_auroc_epistemic": "1, by chance 0.5",
    "ood_site_auroc": "1, by chance 0.5",
    "ood_site_auroc_epistemic": "1, by chance 0.5",
}
"""Scores that are shown, and what each is at best."""

RANKINGS = ("item_spearman",)
"""Scores that rank items, which few items do not give many digits."""

UNSHOWN = {
    *("classwise_calibration_error", "calibration_error_per_class", "error_auroc_by", "mean_total", "mean_error"),
    *(f"{name}_{level}" for name in ("set_size", "interval_width") for level in (50, 80, 95)),
    *(
        f"{name}_{level}_{method}"
        for name in ("coverage", "set_size")
        for level in (50, 80, 95)
        for method in ("aps", "daps")
    ),
}
"""Further scores of uncertainty, which ``--json`` and ``--out`` have."""

WORDS: Mapping[str, tuple[str, str]] = {
    "mean_iou": ("mean IoU", "overlap of truth and prediction over their union, mean over the classes"),
    "micro_iou": ("IoU, classes pooled", "of all classes together, mean over the items"),
    "iou": ("IoU", ""),
    "dice": ("mean Dice", "twice the overlap over the sum of both, mean over the classes"),
    "dice_per_class": ("Dice", ""),
    "f1": ("mean Dice (F1)", "twice the overlap over the sum of both, mean over the classes"),
    "f1_per_class": ("Dice (F1)", ""),
    "iou_per_class": ("IoU", ""),
    "precision_per_class": ("precision", ""),
    "recall_per_class": ("recall", ""),
    "auprc_per_class": ("AUPRC", ""),
    "auroc_per_class": ("AUROC", ""),
    "mcc_per_class": ("MCC", ""),
    "share_per_class": ("share of the sites", ""),
    "mcc": ("mean MCC", "Matthews' correlation, mean over the classes"),
    "micro_f1": ("Dice (F1), classes pooled", "of all classes as though they were one"),
    "micro_auprc": ("AUPRC, classes pooled", ""),
    "micro_auroc": ("AUROC, classes pooled", ""),
    "precision": ("precision", ""),
    "recall": ("recall", ""),
    "pixel_accuracy": ("pixel accuracy", "share of the sites whose class is right"),
    "accuracy": ("accuracy", "share whose class is right"),
    "macro_f1": ("macro F1", "mean over the classes of the harmonic mean of precision and recall"),
    "roc_auc": ("ROC AUC", "chance that a positive ranks above a negative"),
    "auroc": ("AUROC", "chance that a positive ranks above a negative"),
    "auprc": ("AUPRC", "area under precision by recall"),
    "ap_50": ("AP at IoU 0.5", "objects found, over those found, missed and false, at an overlap above 0.5"),
    "ap_70": ("AP at IoU 0.7", "the same at an overlap above 0.7"),
    "ap_90": ("AP at IoU 0.9", "the same at an overlap above 0.9"),
    "ap_mean": ("mean AP", "mean over overlaps from 0.5 to 0.9"),
    "ranked_ap_50": ("ranked AP at IoU 0.5", "area under precision by recall, objects by their confidence"),
    "pq": ("panoptic quality", "of all objects, whatever their class: how many are found, and how well"),
    "mean_pq": ("panoptic quality, mean over the classes", "found as objects of the right class, and how well"),
    "pq_per_class": ("panoptic quality", ""),
    "detection_f1_per_class": ("F1 of detection", ""),
    "class_accuracy": ("accuracy of classes", "share of the found objects whose class is right"),
    "commonest_class": (
        "commonest class",
        "share of the found objects of it: the accuracy of one who always names it",
    ),
    "foreground_iou": ("foreground IoU", "overlap of all objects together"),
    "count_error": ("count error", "sum of the errors of the counts, as a share of the true objects"),
    "count_mae": ("MAE of counts", "mean absolute error of the count of an image"),
    "count_bias": ("bias of counts", "mean error of the count of an image"),
    "objects": ("objects predicted", ""),
    "true_objects": ("objects in truth", ""),
    "r2": ("R²", "share of the variance that is explained; 0 is the mean"),
    "pearson_r": ("Pearson r", "linear correlation of prediction and truth"),
    "spearman_r": ("Spearman r", "correlation of ranks"),
    "rmse": ("RMSE", "root of the mean squared error, in the target's unit"),
    "mse": ("MSE", "mean squared error"),
    "mae": ("MAE", "mean absolute error, in the target's unit"),
    "psnr": ("PSNR", "signal over noise, decibels"),
    "ssim": ("SSIM", "structural similarity"),
    "sharpness": ("sharpness", "of the prediction over that of the truth; 1 is as sharp"),
    "texture_match": ("texture match", "agreement of the two-point correlation"),
    "data_range": ("range of numbers", "that PSNR and SSIM refer to"),
    "calibration_error": ("calibration error", "mean distance of stated confidence and accuracy"),
    "worst_calibration_error": ("calibration error, worst class", ""),
    "coverage_50": ("coverage at 50 %", "share of the truth within sets or intervals that are to hold 50 %"),
    "coverage_80": ("coverage at 80 %", ""),
    "coverage_90": ("coverage at 90 %", ""),
    "coverage_95": ("coverage at 95 %", ""),
    "set_size_90": ("size of 90 % sets", "classes in a set that is to hold the truth in 90 %"),
    "coverage_90_aps": ("coverage at 90 %, APS", "of sets that fill up from the likeliest class (APS)"),
    "set_size_90_aps": ("size of 90 % sets, APS", ""),
    "coverage_90_daps": ("coverage at 90 %, DAPS", "of sets that look at neighbours, too (DAPS)"),
    "set_size_90_daps": ("size of 90 % sets, DAPS", ""),
    "interval_width_90": ("width of 90 % intervals", "in the target's unit"),
    "ence": ("ENCE", "mean distance of stated and found deviation, as a share of the stated one"),
    "miscalibration_area": ("miscalibration area", "between the reliability curve and the diagonal"),
    "nll": ("NLL", "mean of -log p of the truth"),
    "brier": ("Brier score", "mean squared distance of probabilities and truth"),
    "error_auroc": ("AUROC of errors", "chance that a wrong site is more uncertain than a right one"),
    "error_spearman": ("rank correlation with errors", "of stated uncertainty and absolute error"),
    "item_spearman": ("rank correlation, items", "of mean uncertainty and error of items"),
    "aurc": ("AURC", "area under risk by coverage"),
    "excess_aurc": ("excess AURC", "what of it the best order would save"),
    "ause": ("AUSE", "area between sparsification and its best"),
}
"""Title of a score, and what it is, in a few words."""


def name_score(score: str) -> str:
    """Return the title of a score.

    >>> name_score("mean_iou"), name_score("bits_per_base")
    ('mean IoU', 'bits per base')
    """
    return WORDS[score][0] if score in WORDS else score.replace("_", " ")


def explain_score(score: str) -> str:
    """Return what a score is, in a few words; nothing where its title says it."""
    return WORDS.get(score, ("", ""))[1]


def show_ranking(value: float, items: int) -> str:
    """Return a score that ranks items, with no more digits than few items give.

    >>> show_ranking(0.4, 4)
    '0.40 (4 items)'
    """
    return f"{value:.2f} ({items} items)"
