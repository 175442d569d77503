//! As much of DER (X.690) as certificates and time stamps are made of here.

/// One element.
pub fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let mut bytes = vec![tag];
    match u8::try_from(length) {
        Ok(short) if short < 0x80 => bytes.push(short),
        Ok(short) => bytes.extend([0x81, short]),
        Err(_) => {
            bytes.push(0x82);
            bytes.extend(u16::try_from(length).unwrap().to_be_bytes());
        }
    }
    bytes.extend(content);
    bytes
}

/// Elements in their order.
pub fn sequence(parts: &[Vec<u8>]) -> Vec<u8> {
    element(0x30, &parts.concat())
}

/// Elements that have none: they are given as DER orders them.
pub fn set(parts: &[Vec<u8>]) -> Vec<u8> {
    element(0x31, &parts.concat())
}

/// What stands under the tag of a context.
pub fn tagged(number: u8, content: &[u8]) -> Vec<u8> {
    element(0xa0 | number, content)
}

/// A small number.
pub fn integer(number: u8) -> Vec<u8> {
    element(0x02, &[number])
}

/// Bytes.
pub fn octets(bytes: &[u8]) -> Vec<u8> {
    element(0x04, bytes)
}

/// Text.
pub fn text(text: &str) -> Vec<u8> {
    element(0x0c, text.as_bytes())
}

/// An object identifier, by its arcs.
pub fn oid(arcs: &[u64]) -> Vec<u8> {
    let mut bytes = vec![u8::try_from(40 * arcs[0] + arcs[1]).unwrap()];
    for arc in &arcs[2..] {
        let groups = (0..5).rev().map(|place| u8::try_from(arc >> (7 * place) & 0x7f).unwrap());
        let groups: Vec<u8> = groups.skip_while(|group| *group == 0).collect();
        let (last, others) = groups.split_last().unwrap_or((&0, &[]));
        bytes.extend(others.iter().map(|group| group | 0x80));
        bytes.push(*last);
    }
    element(0x06, &bytes)
}
