"""Sentences of reports, written for these tests, each with the labels that a reader gave it.

A label is 1 (present), 0 (absent) or -1 (uncertain); what a sentence does not name has none.
"""

P, N, U = 1, 0, -1

PLAIN = [
    ("Small left pleural effusion.", {"Pleural Effusion": P}),
    ("There is a large right pneumothorax.", {"Pneumothorax": P}),
    ("Bibasilar atelectasis.", {"Atelectasis": P}),
    ("Moderate cardiomegaly.", {"Cardiomegaly": P}),
    ("The heart is mildly enlarged.", {"Cardiomegaly": P}),
    ("Cardiac silhouette is moderately enlarged.", {"Cardiomegaly": P}),
    ("Mild interstitial pulmonary edema.", {"Edema": P}),
    ("Pulmonary oedema has worsened.", {"Edema": P}),
    ("Right upper lobe consolidation.", {"Consolidation": P}),
    ("Patchy opacities in both lower lobes.", {"Lung Opacity": P}),
    ("Biapical pleural thickening.", {"Pleural Other": P, "Pleural Thickening": P}),
    ("A 12 mm nodule in the left upper lobe.", {"Nodule": P, "Lung Lesion": P}),
    ("Spiculated mass at the right hilum.", {"Mass": P, "Lung Lesion": P}),
    ("Large hiatal hernia.", {"Hernia": P}),
    ("Healed fractures of the left sixth and seventh ribs.", {"Fracture": P}),
    ("Severe emphysema.", {"Emphysema": P}),
    ("Interstitial fibrosis with honeycombing at the bases.", {"Fibrosis": P}),
    ("Widened mediastinum.", {"Enlarged Cardiomediastinum": P}),
    ("Right PICC line ends in the SVC.", {"Support Devices": P}),
    ("Endotracheal tube 3 cm above the carina.", {"Support Devices": P}),
    ("Blunting of the left costophrenic angle.", {"Pleural Effusion": P}),
    ("Improved left lower lobe pneumonia.", {"Pneumonia": P}),
    ("Findings consistent with pneumonia.", {"Pneumonia": P}),
    ("SMALL BILATERAL PLEURAL EFFUSIONS.", {"Pleural Effusion": P}),
    ("Unchanged left effusion and basal atelectasis.", {"Pleural Effusion": P, "Atelectasis": P}),
]

DENIED = [
    ("No pneumothorax.", {"Pneumothorax": N}),
    (
        "There is no focal consolidation, pleural effusion, or pneumothorax.",
        {"Consolidation": N, "Pleural Effusion": N, "Pneumothorax": N},
    ),
    ("No evidence of pneumonia.", {"Pneumonia": N}),
    ("Negative for pneumothorax.", {"Pneumothorax": N}),
    ("Without effusion or edema.", {"Pleural Effusion": N, "Edema": N}),
    ("The lungs are free of consolidation.", {"Consolidation": N}),
    ("Neither effusion nor pneumothorax.", {"Pleural Effusion": N, "Pneumothorax": N}),
    ("Pneumothorax is not seen.", {"Pneumothorax": N}),
    ("Pleural effusion is absent.", {"Pleural Effusion": N}),
    ("Effusion and pneumothorax are not identified.", {"Pleural Effusion": N, "Pneumothorax": N}),
    ("The heart is not enlarged.", {"Cardiomegaly": N}),
    ("Heart size is normal.", {"Cardiomegaly": N}),
    ("Cardiac silhouette is within normal limits.", {"Cardiomegaly": N}),
    ("Costophrenic angles are clear.", {"Pleural Effusion": N}),
    ("The lungs are clear.", {"Consolidation": N, "Lung Opacity": N}),
    ("Pneumothorax: none.", {"Pneumothorax": N}),
    ("Pleura: no effusion.", {"Pleural Effusion": N}),
    ("No acute rib fracture is identified.", {"Fracture": N}),
    ("The previously seen effusion has resolved.", {"Pleural Effusion": N}),
    ("Resolved pneumothorax.", {"Pneumothorax": N}),
    ("Interval resolution of the right pneumothorax.", {"Pneumothorax": N}),
    ("The pneumothorax is no longer visible.", {"Pneumothorax": N}),
    ("Pneumonia has been ruled out.", {"Pneumonia": N}),
    ("The endotracheal tube has been removed.", {"Support Devices": N}),
    ("No findings to suggest pneumonia.", {"Pneumonia": N}),
    ("No definite pneumothorax.", {"Pneumothorax": N}),
    ("Lungs are well expanded w/o infiltrates.", {"Infiltration": N}),
    (
        "No radiographic evidence for congestive heart failure or pneumonia.",
        {"Edema": N, "Pneumonia": N},
    ),
    ("No suspicious nodules or masses.", {"Nodule": N, "Mass": N, "Lung Lesion": N}),
    ("The atelectasis has cleared.", {"Atelectasis": N}),
]

HEDGED = [
    ("Possible pneumonia.", {"Pneumonia": U}),
    ("Pneumonia cannot be excluded.", {"Pneumonia": U}),
    ("Cannot exclude a small effusion.", {"Pleural Effusion": U}),
    ("Opacity may represent atelectasis.", {"Lung Opacity": P, "Atelectasis": U}),
    (
        "Left base opacity, atelectasis versus pneumonia.",
        {"Lung Opacity": P, "Atelectasis": U, "Pneumonia": U},
    ),
    ("Probable small left effusion.", {"Pleural Effusion": U}),
    ("Pneumonia is unlikely.", {"Pneumonia": U}),
    ("Findings suspicious for metastases.", {"Lung Lesion": U}),
    ("Questionable nodule at the right apex.", {"Nodule": U, "Lung Lesion": U}),
    ("Rule out pneumonia.", {"Pneumonia": U}),
    ("R/o pneumothorax.", {"Pneumothorax": U}),
    ("Pneumothorax?", {"Pneumothorax": U}),
    ("A small pneumothorax would be difficult to exclude.", {"Pneumothorax": U}),
    ("An early infiltrate is possible.", {"Infiltration": U}),
    ("Borderline cardiomegaly.", {"Cardiomegaly": U}),
    ("Heart size is at the upper limits of normal.", {"Cardiomegaly": U}),
    ("Atelectasis or consolidation at the left base.", {"Atelectasis": U, "Consolidation": U}),
    ("Underlying infection or edema may be present.", {"Edema": U}),
    ("Consolidation is suspected in the lingula.", {"Consolidation": U}),
    ("If pneumonia is suspected, CT may help.", {"Pneumonia": U}),
]

TRAPS = [
    ("No change in the effusion.", {"Pleural Effusion": P}),
    ("No significant interval change in the left pleural effusion.", {"Pleural Effusion": P}),
    ("Without change in cardiomegaly.", {"Cardiomegaly": P}),
    ("No increase in the pneumothorax.", {"Pneumothorax": P}),
    ("Not without a small effusion.", {"Pleural Effusion": P}),
    ("The pneumothorax has not resolved.", {"Pneumothorax": P}),
    ("Incomplete resolution of the pneumonia.", {"Pneumonia": P}),
    ("Follow up to resolution of the consolidation.", {"Consolidation": P}),
    ("No pneumothorax, but a small effusion.", {"Pneumothorax": N, "Pleural Effusion": P}),
    ("No pneumothorax; small effusion.", {"Pneumothorax": N, "Pleural Effusion": P}),
    ("No pneumothorax. Small effusion.", {"Pneumothorax": N, "Pleural Effusion": P}),
    ("No pneumothorax, small left effusion.", {"Pneumothorax": N, "Pleural Effusion": P}),
    ("No pneumothorax with small left effusion.", {"Pneumothorax": N, "Pleural Effusion": P}),
    ("No acute abnormality except for mild atelectasis.", {"Atelectasis": P}),
    ("Small effusion without pneumothorax.", {"Pleural Effusion": P, "Pneumothorax": N}),
    (
        "No pneumothorax is seen and the effusion is unchanged.",
        {"Pneumothorax": N, "Pleural Effusion": P},
    ),
    (
        "The effusion is small and pneumothorax is not seen.",
        {"Pleural Effusion": P, "Pneumothorax": N},
    ),
    (
        "There is no evidence of effusion, edema, or pneumonia, and heart size is normal.",
        {"Pleural Effusion": N, "Edema": N, "Pneumonia": N, "Cardiomegaly": N},
    ),
    ("No effusion, possible pneumonia.", {"Pleural Effusion": N, "Pneumonia": U}),
    ("History of pneumonia.", {}),
    ("Status post chest tube removal, no pneumothorax.", {"Pneumothorax": N}),
    ("Small pericardial effusion.", {}),
    ("Subcutaneous emphysema along the right chest wall.", {}),
    ("No mass effect.", {}),
    ("Patient with cystic fibrosis.", {}),
    ("Resolving pneumonia.", {"Pneumonia": P}),
    ("No new consolidation.", {}),
    ("The heart is not normal in size.", {}),
    ("The lungs are otherwise clear.", {}),
    ("The lungs are clear of infiltrates.", {"Infiltration": N}),
    ("The effusion is no larger than before.", {"Pleural Effusion": P}),
    ("Dr. Smith was told of the pneumothorax.", {"Pneumothorax": P}),
    ("Pneumothorax (small) is again seen.", {"Pneumothorax": P}),
    ("Effusion: right small, left none.", {"Pleural Effusion": P}),
    (
        "Pleural thickening rather than effusion.",
        {"Pleural Other": P, "Pleural Thickening": P, "Pleural Effusion": N},
    ),
]

SENTENCES = [*PLAIN, *DENIED, *HEDGED, *TRAPS]

FAIL = [
    (
        "No pneumothorax, although a small one cannot be excluded.",
        {"Pneumothorax": U},
        "what a clause behind takes back is not carried over",
    ),
    (
        "Stable superior mediastinal contour, which is within normal limits.",
        {"Enlarged Cardiomediastinum": N},
        "a relative clause is a clause of its own",
    ),
    ("Atypical location for a hiatal hernia.", {"Hernia": U}, "doubt without a word of doubt"),
    (
        "Clear lungs, prominent paratracheal opacities representing adenopathy.",
        {"Consolidation": N, "Lung Opacity": N},
        "where an opacity lies is not looked at",
    ),
    (
        "The absence of effusion is not confirmed.",
        {"Pleural Effusion": U},
        "a denial of a denial is a denial",
    ),
    (
        "No pneumothorax is seen and the effusion and atelectasis are unchanged.",
        {"Pneumothorax": N, "Pleural Effusion": P, "Atelectasis": P},
        "a subject of two findings is cut at its last one",
    ),
    (
        "Pneumonia was suspected but CT showed atelectasis instead.",
        {"Pneumonia": N, "Atelectasis": P},
        "what took its place does not deny a suspicion",
    ),
    (
        "Compared with the prior study, which showed pneumonia, the lungs are now clear.",
        {"Consolidation": N, "Lung Opacity": N},
        "what an earlier study showed is taken for today's",
    ),
    (
        "Lungs demonstrate no change from prior pneumonia which has since resolved.",
        {"Pneumonia": N},
        "a relative clause is a clause of its own",
    ),
    ("Kein Pleuraerguss.", {"Pleural Effusion": N}, "the rules are English"),
]
"""What the rules get wrong, and why."""
