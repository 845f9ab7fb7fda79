#![expect(clippy::unwrap_used, reason = "a test may fail")]
use super::AddressClass::{LinkLocal, Loopback, Metadata, Private, Public, Special};
use super::*;
use proptest::prelude::*;

fn class(text: &str) -> AddressClass {
    classify(text.parse().unwrap())
}

#[test]
fn plain_ipv4_addresses_have_their_class() {
    for (address, expected) in [
        ("93.184.216.34", Public),
        ("1.1.1.1", Public),
        ("9.255.255.255", Public),
        ("10.0.0.0", Private),
        ("10.255.255.255", Private),
        ("11.0.0.0", Public),
        ("100.63.255.255", Public),
        ("100.64.0.1", Private),
        ("100.128.0.0", Public),
        ("127.0.0.1", Loopback),
        ("127.255.255.254", Loopback),
        ("169.254.1.1", LinkLocal),
        ("172.15.255.255", Public),
        ("172.16.0.1", Private),
        ("172.31.255.255", Private),
        ("172.32.0.0", Public),
        ("192.168.1.1", Private),
        ("0.0.0.0", Special),
        ("0.1.2.3", Special),
        ("192.0.0.192", Special),
        ("192.0.2.1", Special),
        ("198.19.255.255", Special),
        ("224.0.0.1", Special),
        ("240.0.0.1", Special),
        ("255.255.255.255", Special),
    ] {
        assert_eq!(class(address), expected, "{address}");
    }
}

#[test]
fn plain_ipv6_addresses_have_their_class() {
    for (address, expected) in [
        ("2606:4700::1111", Public),
        ("::1", Loopback),
        ("::", Special),
        ("fd12:3456::1", Private),
        ("fc00::1", Private),
        ("fe80::1", LinkLocal),
        ("febf::1", LinkLocal),
        ("fec0::1", Special),
        ("ff02::1", Special),
        ("2001:db8::1", Special),
        ("3fff::1", Special),
        ("100::1", Special),
        ("5f00::1", Special),
        ("4000::1", Special),
        ("2001:10::1", Special),
    ] {
        assert_eq!(class(address), expected, "{address}");
    }
}

#[test]
fn an_ipv4_address_inside_an_ipv6_address_is_what_counts() {
    for (prefix, suffix) in
        [("::ffff:", ""), ("::ffff:0:", ""), ("::", ""), ("64:ff9b::", ""), ("64:ff9b:1::", "")]
    {
        for (inner, expected) in [
            ("127.0.0.1", Loopback),
            ("10.0.0.1", Private),
            ("169.254.169.254", Metadata),
            ("169.254.0.9", LinkLocal),
            ("224.0.0.1", Special),
            ("93.184.216.34", Public),
        ] {
            assert_eq!(class(&format!("{prefix}{inner}{suffix}")), expected, "{prefix}{inner}");
        }
    }
}

#[test]
fn six_to_four_and_teredo_are_unfolded() {
    assert_eq!(class("2002:7f00:1::1"), Loopback);
    assert_eq!(class("2002:a9fe:a9fe::"), Metadata);
    assert_eq!(class("2002:5db8:d822::1"), Public);
    // Server 93.184.216.34; client 127.0.0.1 with flipped bits.
    assert_eq!(class("2001:0:5db8:d822:0:0:80ff:fffe"), Loopback);
    assert_eq!(class("2001:0:a00:1:0:0:a247:27dd"), Private);
}

#[test]
fn the_local_nat64_prefix_counts_in_every_place_an_address_can_stand() {
    // 10.0.0.1 where a /48 puts it, a public address where a /96 does.
    assert_eq!(class("64:ff9b:1:a00:0:100:5db8:d822"), Private);
    assert_eq!(class("64:ff9b:1:a9fe:a9:fe00::"), Metadata);
    assert_eq!(class("64:ff9b:1::"), Special);
}

#[test]
fn metadata_services_are_a_class_of_their_own() {
    for address in [
        "169.254.169.254",
        "fd00:ec2::254",
        "169.254.170.2",
        "100.100.100.200",
        "168.63.129.16",
        "fd20:ce::254",
        "fd00:ec2::23",
        "fd00:c1::a9fe:a9fe",
        "fd00:42::42",
        "fd00:a9fe:a9fe::1",
        "fd00:100::100:200",
    ] {
        assert_eq!(class(address), Metadata, "{address}");
    }
}

#[test]
fn a_grant_may_name_private_ranges_only() {
    let check = |text: &str| check_range(text.parse().unwrap());
    for range in ["10.0.0.0/8", "10.1.2.3/32", "192.168.0.0/16", "172.20.0.0/14", "fd12::/16"] {
        assert_eq!(check(range), Ok(()), "{range}");
    }
    for range in [
        "0.0.0.0/0",
        "::/0",
        "8.0.0.0/6",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "224.0.0.0/4",
        "::1/128",
        "fe80::/10",
        "93.184.216.0/24",
        "172.16.0.0/11",
        "64:ff9b:1::/48",
        "::ffff:10.0.0.0/104",
        "fc00::/6",
        "0.0.0.0/8",
    ] {
        assert_eq!(check(range), Err(RangeProblem::NotPrivate), "{range}");
    }
    for range in ["fd00:ec2::/32", "fd00::/8", "100.64.0.0/10", "fd00:ec2::254/128"] {
        assert_eq!(check(range), Err(RangeProblem::Metadata), "{range}");
    }
}

proptest! {
    #[test]
    fn no_wrapping_makes_an_address_more_harmless(v4 in any::<u32>()) {
        let v4 = Ipv4Addr::from(v4);
        let plain = classify(IpAddr::V4(v4));
        let [a, b, c, d] = v4.octets();
        let word = |x: u8, y: u8| u16::from_be_bytes([x, y]);
        for wrapped in [
            v4.to_ipv6_mapped(),
            Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, word(a, b), word(c, d)),
            Ipv6Addr::new(0x64, 0xff9b, 1, 0, 0, 0, word(a, b), word(c, d)),
            Ipv6Addr::new(0x2002, word(a, b), word(c, d), 0, 0, 0, 0, 1),
        ] {
            prop_assert!(classify(IpAddr::V6(wrapped)) >= plain, "{} in {}", v4, wrapped);
        }
    }
}
