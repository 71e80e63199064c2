//! A data set that is not bundled: the right-heart-catheterisation cohort, where `UMBRA_DATA` has it.

use std::path::Path;

use umbra_data::import;

use crate::{open, schema};

#[test]
fn the_rhc_cohort_is_imported_where_it_is_at_hand() {
    let Some(folder) = std::env::var_os("UMBRA_DATA") else {
        println!("skipped 1: UMBRA_DATA is not set, so there is no rhc.parquet");
        return;
    };
    let direct = Path::new(&folder).join("rhc.parquet");
    let path = if direct.exists() { direct } else { Path::new(&folder).join("rhc/rhc.parquet") };
    let schema = schema(
        "kind = \"table\"\nlabel = \"death_30d\"\nunit = \"patient_id\"\n\
         groups = [\"sex\", \"race\", \"ninsclas\", \"income\"]\n\
         ignore = [\"death\", \"death_any\", \"dth30\", \"t3d30\", \"sadmdte\", \"dschdte\", \"dthdte\", \
         \"lstctdte\", \"followup_days\", \"los_days\", \"surv2md1\", \"rhc_day1\"]\n",
    );
    let set = open(&import(path, &schema).unwrap());
    // The datasheet: 5,735 patients, 33.4 % dead within 30 days, six kinds of insurance.
    assert_eq!((set.shape().records, set.shape().units), (5735, 5735));
    let died = set.labels().classes().unwrap().iter().filter(|&&label| label == 1).count();
    assert_eq!((died as f64 / 57.35).round(), 33.0);
    assert_eq!(set.attributes()[2].levels.len(), 6);
    assert!(set.feature_names().contains(&"adld3p missing".to_owned()));
}
