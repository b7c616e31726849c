//! The `-o` list: settings that can be written and read again, values within their ranges, and refusals that a terminal can show.

use std::str::FromStr;
use std::time::Duration;
use std::{fmt, ops::RangeInclusive};

use pop3fs::cli::options::{DataSize, OptionError, Options, RawOption, TimeSpan};

pub fn check(octets: &[u8]) {
    let Ok(list) = str::from_utf8(octets) else {
        return;
    };
    let settings = RawOption::split(list);
    assert_eq!(RawOption::split(&joined(&settings)), settings);
    for value in settings
        .iter()
        .filter_map(|setting| setting.value.as_deref())
    {
        is_written_and_read_again::<DataSize>(value);
        is_written_and_read_again::<TimeSpan>(value);
    }
    match Options::from_settings(&settings) {
        Ok(options) => is_within_the_ranges(&options),
        Err(error) => is_refused_safely(&error),
    }
}

fn joined(settings: &[RawOption]) -> String {
    let escaped = |text: &str| text.replace('\\', r"\\").replace(',', r"\,");
    let written = settings
        .iter()
        .map(|RawOption { name, value }| match value {
            Some(value) => format!("{}={}", escaped(name), escaped(value)),
            None => escaped(name),
        });
    written.collect::<Vec<String>>().join(",")
}

fn is_written_and_read_again<T>(text: &str)
where
    T: FromStr<Err: fmt::Debug + PartialEq> + fmt::Display + fmt::Debug + PartialEq,
{
    if let Ok(value) = text.parse::<T>() {
        assert_eq!(
            value.to_string().parse::<T>().as_ref(),
            Ok(&value),
            "{text}"
        );
    }
}

fn is_within_the_ranges(options: &Options) {
    const SECOND: Duration = Duration::from_secs(1);
    const HOUR: Duration = Duration::from_secs(3600);
    const SIZES: RangeInclusive<DataSize> = DataSize::mib(1)..=DataSize::gib(1024);
    assert!((SECOND..=HOUR).contains(&options.timeout));
    assert!((SECOND..=HOUR).contains(&options.idle_timeout));
    assert!(
        options
            .keepalive
            .is_none_or(|period| (SECOND..=HOUR).contains(&period))
    );
    assert!((SECOND..=24 * HOUR).contains(&options.refresh));
    assert!(SIZES.contains(&options.cache_size) && SIZES.contains(&options.memory));
    assert!((DataSize::kib(1)..=DataSize::gib(1024)).contains(&options.max_message));
    assert!(![options.uid, options.gid].contains(&Some(u32::MAX)));
    let folders = [&options.cache_dir, &options.ca_file];
    assert!(
        folders.into_iter().flatten().all(|path| path.is_absolute()),
        "{folders:?}"
    );
}

fn is_refused_safely(error: &OptionError) {
    let sentence = error.to_string();
    assert!(!sentence.contains(char::is_control), "{sentence:?}");
}

pub fn seeds() -> Vec<Vec<u8>> {
    [
        "ro,timeout=30s,idle_timeout=1h,keepalive=off,refresh=1day,pipeline=16,cache=off",
        "cache_dir=~/c,cache_size=1G,memory=64M,max_message=1T,mtime=date,uid=1000,gid=4294967294,allow_other",
        "tls=starttls,ca_file=/ca.pem,auth=scram-sha-256,max_delete=1000,eol=lf,poll=off,view=text",
        r"password_command=pass a\,b | sed s/\\//\\n/ \w\\,keepalive=1h 30m 500ms",
        "tls_pin=sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855,password_file=/p,password_stdin",
        "rw,_netdev,nofail,x-systemd.automount,comment=b,user=al,idle-timeuot=5,memory=18446744073709551615T",
    ]
    .map(|list| list.as_bytes().to_vec())
    .to_vec()
}
